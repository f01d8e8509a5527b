"""The cases, a group a file: what is tried, and what may be seen."""
