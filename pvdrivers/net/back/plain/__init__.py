"""Plain packets of a backend, a batch at a time, compiled: those without extras but one that cuts them."""
