"""A backend of a network interface: a frontend's frames go to a port, and a port's to the frontend."""
