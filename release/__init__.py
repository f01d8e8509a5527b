"""What is given to users: a source distribution, a wheel, a Debian package. `make dist` makes them."""
