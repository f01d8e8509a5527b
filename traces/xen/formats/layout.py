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


class Named(Declared):
    """A field: ``"vcpu" / Int16ul``."""

    __slots__ = ("kind", "name")

    def __init__(self, label: str, kind: "Number | OrNone") -> None:
        super().__init__()
        self.name, self.kind = label, kind

    def _make(self) -> Any:  # noqa: ANN401 - see above
        return self.name / self.kind.made


class Number(Declared):
    """A number of so many bits, little-endian."""

    __slots__ = ("_known_as", "signed", "size")
    #: What stands for none, where something does.
    none: int | None = None

    def __init__(self, bits: int, *, signed: bool = False) -> None:
        super().__init__()
        self.size, self.signed = bits // 8, signed
        self._known_as = f"Int{bits}{'s' if signed else 'u'}l"

    def __rtruediv__(self, name: str) -> Named:
        return Named(name, self)

    def _make(self) -> Any:  # noqa: ANN401 - see above
        import construct  # noqa: PLC0415 - see above

        return getattr(construct, self._known_as)


class OrNone(Declared):
    """A number that stands for none where it is ``none``: what Xen records where it has nothing to record."""

    __slots__ = ("_number", "none", "signed", "size")

    def __init__(self, number: Number, none: int) -> None:
        super().__init__()
        self._number, self.none = number, none
        self.size, self.signed = number.size, number.signed

    def __rtruediv__(self, name: str) -> Named:
        return Named(name, self)

    def _make(self) -> Any:  # noqa: ANN401 - see above
        from traces.xen.formats.record import Optional  # noqa: PLC0415 - brings construct

        return Optional(self._number.made, self.none)


class Struct(Declared):
    """Fields one behind the other."""

    __slots__ = ("fields",)

    def __init__(self, *fields: Named) -> None:
        super().__init__()
        self.fields = fields

    def _make(self) -> Any:  # noqa: ANN401 - see above
        import construct  # noqa: PLC0415 - see above

        return construct.Struct(*(field.made for field in self.fields))


Int8ul, Int16ul, Int32ul, Int64ul = map(Number, (8, 16, 32, 64))
Int32sl = Number(32, signed=True)
