"""Payloads' layouts in construct's words, which become construct's own when somebody decodes by one.

Most of those who read the declarations want ids and names alone: a report does, and importing construct and making
all layouts took longer than its reading of a small trace.
"""

from typing import Any


class Declared:
    """What construct makes of a declaration answers for it: ``parse``, ``sizeof``, ``subcons`` and all else."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: Any = None

    @property
    def made(self) -> Any:  # noqa: ANN401 - construct ships no types
        """What construct makes of it, once."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> Any:  # noqa: ANN401 - see above
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - see above
        return getattr(self.made, name)

    def __rtruediv__(self, name: str) -> "Named":
        return Named(name, self)


class Named(Declared):
    """A field: ``"vcpu" / Int16ul``."""

    __slots__ = ("_kind", "_label")

    def __init__(self, label: str, kind: Declared) -> None:
        super().__init__()
        self._label, self._kind = label, kind

    def _make(self) -> Any:  # noqa: ANN401 - see above
        return self._label / self._kind.made


class Number(Declared):
    """A number, by construct's name for it."""

    __slots__ = ("_known_as",)

    def __init__(self, known_as: str) -> None:
        super().__init__()
        self._known_as = known_as

    def _make(self) -> Any:  # noqa: ANN401 - see above
        import construct  # noqa: PLC0415 - see above

        return getattr(construct, self._known_as)


class OrNone(Declared):
    """A number that stands for none where it is ``none``: what Xen records where it has nothing to record."""

    __slots__ = ("_number", "_stands_for_none")

    def __init__(self, number: Number, none: int) -> None:
        super().__init__()
        self._number, self._stands_for_none = number, none

    def _make(self) -> Any:  # noqa: ANN401 - see above
        from traces.xen.formats.record import Optional  # noqa: PLC0415 - brings construct

        return Optional(self._number.made, self._stands_for_none)


class Struct(Declared):
    """Fields one behind the other."""

    __slots__ = ("fields",)

    def __init__(self, *fields: Named) -> None:
        super().__init__()
        self.fields = fields

    def _make(self) -> Any:  # noqa: ANN401 - see above
        import construct  # noqa: PLC0415 - see above

        return construct.Struct(*(field.made for field in self.fields))


Int8ul, Int16ul, Int32ul, Int64ul, Int32sl = map(Number, ("Int8ul", "Int16ul", "Int32ul", "Int64ul", "Int32sl"))
