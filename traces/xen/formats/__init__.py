"""Layouts and names, one module a format; nothing here reads a byte by itself."""
