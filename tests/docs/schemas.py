"""Writes a JSON Schema of each document into xentool/documents/schemas, from the types and comments in its folder.

python -m tests.docs.schemas

Ref: json-schema.org, draft 2020-12
"""

import importlib
import json
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, NotRequired, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

from tests.docs.documents import FOLDER, MODULES, comments

SCHEMAS = FOLDER / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: Objects that are printed a line each and have no ``schema`` of their own.
_LINES = {"dump": "report.Record", "dump.kvm": "report.KvmRecord", "store.watch": "store.Change"}
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def texts() -> Iterator[tuple[str, str]]:
    """Give each file's name and what it holds."""
    for name, kind in documents():
        yield f"{name}.json", json.dumps(_Schema(name, kind).document(), indent=2, ensure_ascii=False) + "\n"


def documents() -> Iterator[tuple[str, type]]:
    """Give the documents, ``report`` for ``xentool.report/1``, and their types."""
    for module in MODULES:
        for kind in vars(importlib.import_module(f"xentool.documents.{module}")).values():
            if is_typeddict(kind) and (said := get_type_hints(kind).get("schema")) is not None:
                yield get_args(said)[0].removeprefix("xentool.").removesuffix("/1"), kind
    for name, where in _LINES.items():
        module, _, called = where.partition(".")
        yield name, getattr(importlib.import_module(f"xentool.documents.{module}"), called)


class _Schema:
    def __init__(self, name: str, kind: type) -> None:
        self._name = name
        self._kind = kind
        self._kinds: dict[str, Any] = {}
        self._comments = comments(FOLDER / f"{kind.__module__.rpartition('.')[2]}.py")

    def document(self) -> dict[str, Any]:
        made = self._object(self._kind)
        title = self._name if self._name in _LINES else f"xentool.{self._name}/1"
        found = {"$schema": DIALECT, "title": title, **made}
        return found | {"$defs": dict(sorted(self._kinds.items()))} if self._kinds else found

    def _object(self, kind: type) -> dict[str, Any]:
        hints = get_type_hints(kind, include_extras=True)
        told = self._comments.get(kind.__name__, {})
        # Fields may be added, so others are allowed.
        return {
            "description": " ".join((kind.__doc__ or "").replace("``", "`").split()),
            "type": "object",
            "properties": {name: self._field(hint, told.get(name, "")) for name, hint in hints.items()},
            "required": [name for name, hint in hints.items() if get_origin(hint) is not NotRequired],
        }

    def _field(self, hint: object, comment: str) -> dict[str, Any]:
        of = get_args(hint)[0] if get_origin(hint) is NotRequired else hint
        return self._of(of) | ({"description": comment} if comment else {})

    def _of(self, kind: object) -> dict[str, Any]:
        origin, inside = get_origin(kind), get_args(kind)
        if is_typeddict(kind):
            return self._named(cast("type", kind))
        if origin in (Union, UnionType):
            return _either([self._of(one) for one in inside])
        if origin is list:
            return {"type": "array", "items": self._of(inside[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self._of(inside[1])}
        if origin is Literal:
            return {"const": inside[0]} if len(inside) == 1 else {"enum": list(inside)}
        return {} if kind is Any else {"type": _PLAIN[cast("type", kind)]}

    def _named(self, kind: type) -> dict[str, Any]:
        name = kind.__name__
        if kind is self._kind:
            return {"$ref": "#"}
        if name not in self._kinds:
            self._kinds[name] = {}  # It may have others of its own kind in it.
            self._kinds[name] = self._object(kind)
        return {"$ref": f"#/$defs/{name}"}


def _either(kinds: list[dict[str, Any]]) -> dict[str, Any]:
    plain = [one["type"] for one in kinds if one.keys() == {"type"}]
    return {"type": plain} if len(plain) == len(kinds) else {"anyOf": kinds}


if __name__ == "__main__":
    SCHEMAS.mkdir(exist_ok=True)
    for old in SCHEMAS.glob("*.json"):
        old.unlink()
    for file, text in texts():
        (SCHEMAS / file).write_text(text)
