"""A frontend of a network interface: a port's frames go to a backend, and the backend's to the port."""
