# Reads a Vagrantfile with a Vagrant that only writes down what it is told, and prints that as JSON: calls in their
# order, each with its words and its options.
# usage: ruby told.rb VAGRANTFILE
require "json"

TOLD = []

class Listener
  def method_missing(name, *words, **options)
    TOLD << [name, words.map { |word| word.is_a?(Listener) ? nil : word }, options]
    yield self if block_given?
    self
  end

  def respond_to_missing?(*)
    true
  end
end

module Vagrant
  def self.configure(_version)
    yield Listener.new
  end
end

load ARGV[0]
puts JSON.generate(TOLD)
