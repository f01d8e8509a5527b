"""Network interfaces that are measured."""
