"""How many of something there are, in words: the one place that knows what is one."""


def plural(count: int, noun: str) -> str:
    """Say how many there are: ``1 page``, ``1,234 pages``; the noun is one that takes an s."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
