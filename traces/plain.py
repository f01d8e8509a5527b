"""Classes of plain data, declared as those of ``dataclasses`` and made without it.

Importing that module, and its writing and compiling of methods for each class, took a third of a small trace's report.
Here all classes share methods that look up what fields there are. ``dataclasses.replace``, ``asdict`` and ``fields``
take objects of these classes as well.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

if TYPE_CHECKING:
    from dataclasses import Field

_T = TypeVar("_T")


class _Made:
    """What ``field`` says of a field; other defaults stand for themselves."""

    __slots__ = ("compare", "factory", "init", "shown")

    def __init__(self, factory: Callable[[], object], *, init: bool, compare: bool, shown: bool) -> None:
        self.factory, self.init, self.compare, self.shown = factory, init, compare, shown


def field(*, default_factory: Callable[[], _T], init: bool = True, compare: bool = True, repr: bool = True) -> _T:
    """Declare a field whose default is made anew for each object."""
    made: Any = _Made(default_factory, init=init, compare=compare, shown=repr)
    return made  # type: ignore[no-any-return] # a class's body says of which type the field is


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_T]) -> type[_T]:
    """Make a class of plain data whose objects stay as they are, and can be keys where their fields can."""
    return _prepared(cls, __setattr__=_refuse, __delattr__=_refuse, __hash__=_hash)


@dataclass_transform(field_specifiers=(field,))
def mutable(cls: type[_T]) -> type[_T]:
    """Make a class of plain data."""
    return _prepared(cls, __hash__=None)


def replace(one: _T, **changes: Any) -> _T:  # noqa: ANN401 - as the fields are
    """Make another one in which some fields differ."""
    kind: Any = type(one)
    values: dict[str, Any] = {name: getattr(one, name) for name in kind.__match_args__}
    return kind(**values | changes)  # type: ignore[no-any-return] # of the class that it was


def _prepared(cls: type[_T], **methods: Any) -> type[_T]:  # noqa: ANN401 - of all kinds
    made: Any = cls  # whose attributes no checker knows yet
    names = tuple(cls.__annotations__)
    defaults = {name: getattr(cls, name) for name in names if hasattr(cls, name)}
    factories = {name: default for name, default in defaults.items() if isinstance(default, _Made)}
    for name in factories:
        delattr(cls, name)
    left_out = {name for name, default in factories.items() if not default.init}
    made._fields = names
    made._defaults = defaults
    made._compared = tuple(name for name in names if name not in factories or factories[name].compare)
    made.__match_args__ = tuple(name for name in names if name not in left_out)  # type: ignore[misc] # set for good
    made.__dataclass_fields__ = _Fields()
    for name, method in {"__init__": _init, "__eq__": _eq, "__repr__": _repr, **methods}.items():
        if name not in cls.__dict__ or name == "__hash__":
            setattr(cls, name, method)
    return cls


def _init(self: Any, *values: object, **named: object) -> None:  # noqa: ANN401 - of any class
    kind = type(self)
    own = self.__dict__
    own.update(zip(kind.__match_args__, values, strict=False))
    if len(values) > len(own) or own.keys() & named.keys() or named.keys() - set(kind.__match_args__):
        raise TypeError(f"{kind.__name__} takes {', '.join(kind.__match_args__)}, each once")
    own.update(named)
    if len(own) < len(kind._fields):
        for name in kind._fields:
            if name not in own:
                if name not in kind._defaults:
                    raise TypeError(f"{kind.__name__} lacks {name}")
                default = kind._defaults[name]
                own[name] = default.factory() if isinstance(default, _Made) else default


def _values(self: Any) -> tuple[object, ...]:  # noqa: ANN401 - of any class
    return tuple([getattr(self, name) for name in self._compared])


def _eq(self: Any, other: object) -> bool:  # noqa: ANN401 - of any class
    return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:  # noqa: ANN401 - of any class
    return hash(_values(self))


def _repr(self: Any) -> str:  # noqa: ANN401 - of any class
    hidden = {name for name, of in self._defaults.items() if isinstance(of, _Made) and not of.shown}
    shown = (f"{name}={getattr(self, name)!r}" for name in self._fields if name not in hidden)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse(self: object, name: str, *_value: object) -> None:
    raise AttributeError(f"{type(self).__name__} is frozen: {name}")


class _Fields:
    """By what ``dataclasses`` knows its own; made when it asks."""

    def __get__(self, one: object, kind: Any) -> "dict[str, Field[Any]]":  # noqa: ANN401 - any class
        import dataclasses  # noqa: PLC0415 - see above

        def told(name: str) -> Any:  # noqa: ANN401 - typeshed has ``field`` give the field's value
            default = kind._defaults.get(name, dataclasses.MISSING)
            if isinstance(default, _Made):
                how: dict[str, Any] = {"init": default.init, "compare": default.compare, "repr": default.shown}
                return dataclasses.field(default_factory=default.factory, **how)
            # What has no hash is taken for a mistake there; ours are never changed.
            return (
                dataclasses.field(default_factory=lambda: default)
                if default.__hash__ is None
                else (dataclasses.field(default=default))
            )

        of = [(name, kind.__annotations__[name], told(name)) for name in kind._fields]
        twin: Any = dataclasses.make_dataclass(kind.__name__, of)
        return twin.__dataclass_fields__  # type: ignore[no-any-return] # of a class that no checker knows
