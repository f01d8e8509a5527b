"""What somebody meant who wrote a name that is none."""

from collections.abc import Iterable


def meant(text: str, known: Iterable[str]) -> str:
    """Give the end of a message: ``; did you mean 'sched'?``, or nothing where no name is like it.

    :param known: all names that there are
    """
    # Slow to load, and of use for mistakes alone.
    from difflib import get_close_matches  # noqa: PLC0415 - see above

    by_lower = {name.lower(): name for name in known}
    near = [by_lower[name] for name in get_close_matches(text.lower(), by_lower, 3, 0.6)]
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
