"""Records of many captures, of Xen and of KVM, as one table: a Parquet file each, all with the same columns.

Law: what a column is called and holds, and its type, never changes; a new one is added at the end, and ``SCHEMA`` then
has another number. Columns that a capture has nothing for are there all the same, and null.
"""

#: Of the dataset, from the outermost: whose capture it is. Columns to readers, which take them from folders' names.
PARTITIONS = ("host", "day", "capture")
