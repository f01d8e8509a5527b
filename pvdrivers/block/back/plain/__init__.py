"""Plain reads and writes, compiled, a batch at a time. All else is left to the readable way beside it."""
