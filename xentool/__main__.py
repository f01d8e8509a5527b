"""``python -m xentool``."""

from xentool.cli import main

main()
