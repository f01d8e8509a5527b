"""How every page is made of a template: what is put in is escaped, and made fit to be shown."""

from typing import TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from traces.foreign import printable

_Value = TypeVar("_Value")


def filled(package: str, template: str, **about: object) -> bytes:
    """Make a page of one of a package's templates; what it asks for and is not there raises."""
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**about).encode()


def shown(value: _Value) -> _Value | str:
    """Make a text fit to be shown: what is no markup of ours may be somebody's name."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
