"""Where a driver of ours finds its other end."""
