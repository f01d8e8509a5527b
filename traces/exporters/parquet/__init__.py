"""All records as a Parquet file, made by compiled code without pyarrow."""
