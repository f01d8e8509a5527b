"""A load as fio makes it, and how long each operation took."""
