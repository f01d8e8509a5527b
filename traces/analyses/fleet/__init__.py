"""Many captures as one: what is kept of each, sums over groups of them, and which stand out."""
