"""Classes of plain data: as ``dataclasses`` makes them of the same declaration, and known to it."""

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from traces import plain


class Declared:
    """Stands for all ways in which a field can be declared."""

    first: int
    second: str = "two"
    many: list[int] = plain.field(default_factory=list)
    unseen: dict[str, int] = plain.field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def both(self) -> str:
        return f"{self.first} {self.second}"


def declared() -> dict[str, Any]:
    return {"__annotations__": dict(Declared.__annotations__), "both": Declared.both, "second": "two"}


def ours() -> Any:  # noqa: ANN401 - a class made here
    many, unseen = Declared.__dict__["many"], Declared.__dict__["unseen"]
    return plain.frozen(type("Declared", (), declared() | {"many": many, "unseen": unseen}))


def theirs() -> Any:  # noqa: ANN401 - see above
    many: Any = dataclasses.field(default_factory=list)
    unseen: Any = dataclasses.field(default_factory=dict, init=False, compare=False, repr=False)
    return dataclasses.dataclass(frozen=True)(type("Declared", (), declared() | {"many": many, "unseen": unseen}))


@plain.frozen
class Point:
    x: int
    y: float = 0.5
    tags: tuple[str, ...] = ()


@plain.mutable
class Sum:
    of: list[int] = plain.field(default_factory=list)
    total: int = 0


@pytest.mark.parametrize(
    "use",
    [
        lambda make: make(1),
        lambda make: make(1, "b", [3]),
        lambda make: make(first=1, many=[2]),
        lambda make: make(),
        lambda make: make(1, 2, 3, 4),
        lambda make: make(1, first=2),
        lambda make: make(1, other=2),
        lambda make: make(1, unseen={}),
        lambda make: make(1).both,
        lambda make: make(1) == make(1, "two", []),
        lambda make: make(1) == make(2),
        lambda make: make(1) == 1,
        lambda make: make(1) != dataclasses.replace(make(1), second="b"),
        lambda make: dataclasses.replace(make(1), second="b", many=[4]),
        lambda make: dataclasses.asdict(make(1, many=[5])),
        lambda make: [(field.name, field.init, field.repr) for field in dataclasses.fields(make)],
        lambda make: setattr(make(1), "first", 2),
        lambda make: delattr(make(1), "first"),
        lambda make: hash(make(1)),  # a list has none
        lambda make: make.__match_args__,
        lambda make: make(1).many is make(1).many,
    ],
)
def test_it_does_what_a_data_class_does(use: Callable[[Any], object]) -> None:
    def done(make: Any) -> object:  # noqa: ANN401 - see above
        try:
            return repr(use(make))
        except (TypeError, AttributeError) as error:
            return TypeError if isinstance(error, TypeError) else AttributeError

    assert done(ours()) == done(theirs())


def test_values_that_stay_are_keys_and_travel() -> None:
    point = Point(1, tags=("a",))
    assert {point: 1}[Point(1, 0.5, ("a",))] == 1
    assert pickle.loads(pickle.dumps(point)) == point  # noqa: S301 - made here
    assert plain.replace(point, x=2) == Point(2, 0.5, ("a",))
    with pytest.raises(TypeError):
        plain.replace(point, z=1)


def test_what_changes_is_no_key_and_shares_nothing() -> None:
    one, other = Sum(), Sum()
    one.of.append(1)
    one.total += 1
    assert (one, other) == (Sum([1], 1), Sum([], 0))
    with pytest.raises(TypeError):
        hash(one)
