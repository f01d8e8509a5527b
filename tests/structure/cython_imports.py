"""What Cython files import, put as Python that import-linter reads: it knows no ``cimport``, and no compiled module.

`written` copies the packages' tree so: each compiled module becomes a Python file of its imports, and a declaration
beside a Python file adds its own to that.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

TREE = Path(__file__).parents[2]
PACKAGES = ("xentool", "pvdrivers", "traces")

#: Several lines where parentheses say so.
_FROM = re.compile(r"^\s*from\s+([\w.]+)\s+c?import\s+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_PLAIN = re.compile(r"^\s*c?import\s+([^\n]+)", re.MULTILINE)
_INCLUDE = re.compile(r"^\s*include\s", re.MULTILINE)
_DOCUMENTATION = re.compile(r'"""[\s\S]*?"""')
_COMMENT = re.compile(r"#[^\n]*")
#: What Cython brings: C's headers and Python's own.
_BROUGHT = ("cython", "cpython", "libc", "posix")


def compiled(tree: Path = TREE) -> list[Path]:
    """Give all files that Cython reads."""
    return sorted(path for package in PACKAGES for path in (tree / package).rglob("*.p[yx][xd]"))


def imports(text: str) -> Iterator[str]:
    """Give what a Cython file imports from Python or Cython modules, a statement each."""
    text = _COMMENT.sub("", _DOCUMENTATION.sub("", text))
    if _INCLUDE.search(text):
        raise ValueError("include: what it brings is not seen here")
    for module, names in _FROM.findall(text):
        if module.partition(".")[0] not in _BROUGHT:
            yield f"from {module} import {', '.join(_listed(names))}"
    for modules in _PLAIN.findall(text):
        for module in _listed(modules):
            if module.split()[0].partition(".")[0] not in _BROUGHT:
                yield f"import {module}"


def _listed(names: str) -> list[str]:
    return [" ".join(name.split()) for name in names.strip("()").split(",") if name.strip()]


def written(to: Path) -> None:
    """Write the tree for import-linter, with its contracts."""
    for package in PACKAGES:
        shutil.copytree(TREE / package, to / package, ignore=lambda _, names: [n for n in names if _foreign(n)])
    shutil.copy(TREE / "pyproject.toml", to)
    for path in compiled():
        with (to / path.relative_to(TREE)).with_suffix(".py").open("a") as file:
            file.write("".join(f"\n{line}" for line in imports(path.read_text())))


def _foreign(name: str) -> bool:
    return "." in name and not name.endswith(".py")
