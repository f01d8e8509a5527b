"""A disk's frontend, and who reads and writes by it."""
