"""Network interfaces that are served, and measured."""
