"""Captures as a dataset of Parquet files: what its files are called, where it lies, and what becomes of it.

Law: no reader ever sees what is not whole, and no name leaves the dataset. What was done can be told from names alone.
"""
