"""Which records are wanted."""
