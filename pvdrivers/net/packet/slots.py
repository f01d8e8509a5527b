"""What packets are made of on either ring, and how many of it."""

from typing import NamedTuple

from pvdrivers.abi.ring import PAGE_SIZE


class Slot(NamedTuple):
    """A slot with data: part of a page that the frontend has granted, within its bounds.

    :param id: the request's, as the frontend gave it
    :param offset: bytes from the page's beginning
    """

    id: int
    gref: int
    offset: int
    length: int


#: A slot that is to be filled: its id, and its page's gref.
Place = tuple[int, int]


def pages(size: int, room: int = PAGE_SIZE) -> int:
    """Give how many pages so many bytes need.

    :param room: bytes that each page has for them
    """
    return -(-size // room)
