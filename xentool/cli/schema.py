"""``xentool schema``."""

import json
from importlib.resources import files

import click

from xentool import output

_SCHEMAS = files("xentool.documents") / "schemas"
_SUFFIX = ".json"


def _names() -> list[str]:
    return sorted(one.name.removesuffix(_SUFFIX) for one in _SCHEMAS.iterdir() if one.name.endswith(_SUFFIX))


@click.command()
@click.argument("name", type=click.Choice(_names()), metavar="[NAME]", required=False)
def command(name: str | None) -> None:
    """Print the JSON Schema of the document NAME, as in `xentool schema report`; without NAME, tell which there are.

    A document says in its `schema` which it is: xentool.report/1 is `report`. Documents that are printed an object a
    line are described by what one line holds.
    """
    if name is None:
        for one in _names():
            output.line(f"{one:<16}{json.loads(_text(one))['description']}")
        return
    text = _text(name)
    click.echo(text, nl=False)


def _text(name: str) -> str:
    return (_SCHEMAS / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
