"""Reports and tables to what others read: JSON, text, Perfetto, Parquet, JSON lines."""
