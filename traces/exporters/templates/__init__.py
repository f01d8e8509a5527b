"""How every page is made of a template: what is put in is escaped, and made fit to be shown.

All have one frame (``frame.html``), by which a page loads nothing, and has no style and no script but those whose
hashes it names.
"""

import hashlib
from base64 import b64encode
from importlib.resources import files
from typing import TypeVar

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from traces.foreign import printable

_Value = TypeVar("_Value")


def filled(package: str, template: str, style: str, script: str | None = None, **about: object) -> bytes:
    """Make a page of a package's files; what the template asks for and is not there raises.

    :param template: in the package's folder ``templates``, as are ``style`` and ``script``
    :param script: the page has none without
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(__name__, "")]),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    look, does = _file(package, style), _file(package, script) if script else ""
    frame = {"style": look, "style_hash": _hash(look), "script": does, "script_hash": _hash(does)}
    return environment.get_template(template).render(**about, **frame).encode()


def shown(value: _Value) -> _Value | str:
    """Make a text fit to be shown: what is no markup of ours may be somebody's name."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _file(package: str, name: str) -> str:
    return files(package).joinpath("templates", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
