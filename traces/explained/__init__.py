"""What the names mean that traces show: why each exists, what makes it happen, and where to look further.

Law: names come from the tables of ``traces/xen/formats``, ``traces/kvm`` and ``traces/analyses`` (``names``); what is
said of them is data, a file a kind (``texts``). A text may be of several names, where it is true of each.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache

from traces.explained.names import ALIASES, KINDS
from traces.explained.texts import Text, texts
from traces.plain import frozen


@frozen
class Explanation:
    """What a name means: ``kind`` is a key of ``KINDS``; ``why`` and ``when`` are sentences, ``look`` a list of places.

    Of one that goes by several names, ``also`` has the others.
    """

    kind: str
    name: str
    why: str
    when: str
    look: str
    also: tuple[str, ...] = ()


def about(kind: str, name: str) -> Explanation | None:
    """Explain a name of a kind as its table, or Linux, writes it; None where there is no text of it."""
    text = named(kind).get(ALIASES.get(kind, {}).get(name, name))
    if text is None:
        return None
    also = () if KINDS[kind].names else tuple(one for one in text.names if one != name)
    return Explanation(kind, name, text.why, text.when, text.look, also)


def explain(word: str) -> list[Explanation]:
    """Explain a name, of whichever kinds it is one: in capitals or not, its words joined by whatever.

    A sub-operation may be called without its hypercall, and what has several names by each of these.
    """
    found = ((kind, name) for kind in KINDS for name in _called(kind).get(_plain(word), ()))
    return [one for kind, name in found if (one := about(kind, name)) is not None]


def every() -> list[Explanation]:
    """Explain all names, in the order of kinds and of their tables."""
    found = ((kind, name) for kind in KINDS for name in _main(kind))
    return [one for kind, name in found if (one := about(kind, name)) is not None]


def words() -> list[str]:
    """Give all names that are explained, each once."""
    return sorted({name for kind in KINDS for name in named(kind)})


@cache
def named(kind: str) -> Mapping[str, Text]:
    """Give a kind's texts by the names that they are of; the same one by each of several names."""
    every = None if (of := KINDS[kind].names) is None else tuple(of())
    found: dict[str, Text] = {}
    for text in texts(KINDS[kind].files):
        for pattern in text.names:
            own = (pattern,) if every is None else (name for name in every if fnmatchcase(name, pattern))
            found.update(dict.fromkeys(own, text))
    return found


def _main(kind: str) -> Iterable[str]:
    if (of := KINDS[kind].names) is not None:
        return dict.fromkeys(of())
    return (text.names[0] for text in texts(KINDS[kind].files))


@cache
def _called(kind: str) -> Mapping[str, list[str]]:
    # By what may be written, the names that are meant.
    found: dict[str, list[str]] = {}
    for name, text in named(kind).items():
        if KINDS[kind].names is None:
            main, calls = text.names[0], {name}
        else:
            main, calls = name, {name, name.rpartition(".")[2]}
            calls |= {other for other, known in ALIASES.get(kind, {}).items() if known == name}
        for one in calls:
            found.setdefault(_plain(one), []).append(main)
    return found


def _plain(word: str) -> str:
    return word.strip().lower().replace(" ", "_").replace("-", "_")
