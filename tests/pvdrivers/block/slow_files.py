"""A file system that takes its time."""

from pathlib import Path

SOURCE = Path(__file__).with_name("slow_file.c")
