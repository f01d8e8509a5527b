"""How Sphinx makes the site, of what `tests/docs/site.py` gathers. Nothing here or in a page needs a network."""

import importlib
import pkgutil
import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

import pvdrivers
import traces
from xentool import __version__

project = "xentool"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "docs/index"
myst_heading_anchors = 4
autodoc_member_order = "bysource"
autodoc_typehints = "description"
# A default as it is written: a table would be spelt out.
autodoc_preserve_defaults = True
# What a room takes from its modules is told where it is.
autodoc_default_options = {"members": True, "show-inheritance": True, "ignore-module-all": True}
# A type's bare name, where two modules have one of that name.
suppress_warnings = ["ref.python"]
html_theme = "furo"
html_title = "xentool"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False

_CODE = re.compile(r"(``.+?``|(?<![:`])`[^`]+`(?!`))", re.DOTALL)


def plain(app: Sphinx, what: str, name: str, of: object, options: object, lines: list[str]) -> None:
    """Make a docstring what Sphinx takes for one: ours are text with `code`, and indented lines are kept."""
    del app, what, name, of, options
    paragraphs = "\n".join(lines).split("\n\n")
    lines[:] = "\n\n".join(map(_paragraph, paragraphs)).split("\n")


def _paragraph(text: str) -> str:
    fields = re.search(r"^:\w+", text, re.MULTILINE)
    if not fields and re.search(r"^\s", text.strip("\n"), re.MULTILINE):
        return "\n".join(f"| {_escaped(line)}" for line in text.strip("\n").split("\n"))
    return _escaped(text)


def _escaped(text: str) -> str:
    parts = _CODE.split(text)
    parts[1::2] = [f"``{code.strip('`')}``" for code in parts[1::2]]
    parts[::2] = [re.sub(r"([*|]|(?<=\w)_(?!\w))", r"\\\1", part) for part in parts[::2]]
    # Code ends where no word goes on: in `End`s one does.
    parts[2::2] = [re.sub(r"^(?=\w)", r"\\ ", part) for part in parts[2::2]]
    return "".join(parts)


def _load() -> None:
    # Sphinx reads a compiled module's stub in its place, and leaves that to all that import it later: some are compiled
    # against the real one.
    for library in (traces, pvdrivers):
        for one in pkgutil.walk_packages(library.__path__, f"{library.__name__}."):
            importlib.import_module(one.name)
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.endswith(".so") and Path(f"{file.partition('.')[0]}.pyi").exists():
            del sys.modules[name]


def setup(app: Sphinx) -> None:
    """Have every docstring looked at."""
    _load()
    app.connect("autodoc-process-docstring", plain)
