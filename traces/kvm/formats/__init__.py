"""How a trace.dat is laid out, and what its events hold: declared once, or read from the file itself."""
