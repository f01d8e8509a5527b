"""Plain frames of a frontend, a batch at a time, compiled: those without extras but one that cuts them."""
