"""The program of docs/backend.md: its blocks of Python, one after the other.

python -m tests.docs.program >ramdisk.py
"""

import re

from tests.docs.paths import ROOT

PAGE = ROOT / "docs/backend.md"
#: What is not part of the program: how it is tried.
_TRIED = "## Trying it"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def program() -> str:
    """Give the program."""
    return "\n".join(_BLOCK.findall(PAGE.read_text().partition(_TRIED)[0]))


def whole() -> str:
    """Give the program, with what tries it."""
    return "\n".join(_BLOCK.findall(PAGE.read_text()))


if __name__ == "__main__":
    print(program())
