"""What a machine elsewhere tells about itself, for ``detect``."""
