"""A trace for Perfetto's viewer."""
