"""Guests' page tables, read as the processor reads them, and where their pages are in the machine."""
