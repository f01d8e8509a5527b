"""Many captures at once: where they lie, who works on them, and what becomes of their answers.

Dask schedules (dask.distributed), and fsspec reads URLs; both are an extra.
"""
