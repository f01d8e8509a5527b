"""Bytes to columns: ``tokenize`` (compiled) and ``reference`` (construct, slow, the oracle of the tests)."""
