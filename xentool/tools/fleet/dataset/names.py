"""What a capture's file is called in a dataset: ``host=H/day=D/capture=NAME~KEY/STAMP.parquet``.

Values of partitions are percent-encoded, as Hive has them and all readers take them back. KEY stands for where the
capture lies, so that two of one name don't meet; STAMP for what was in it. So what was done is known from names alone.
"""

import os
import re
from collections.abc import Iterator
from hashlib import sha256
from urllib.parse import quote

from traces.exporters.dataset import PARTITIONS
from traces.exporters.dataset.columns import SCHEMA
from traces.foreign import printable
from traces.plain import frozen
from xentool.tools.fleet.places import Place, is_url

#: Stands for a host or a day that nobody noted. Hive's own word for it is text to one reader and null to the others.
UNKNOWN = "unknown"
SUFFIX = ".parquet"
_DAMAGED = "-damaged"
#: Bytes of a value that is written down; a folder's name may have 255.
_VALUE_MAX = 150
_DIGITS = 16
#: Of URLs, who asks and by which password.
_USER = re.compile(r"(?<=://)[^/@]*@")


@frozen
class Named:
    """A file of a dataset.

    :param path: below the dataset
    :param stamp: of the capture that it was made of
    :param damaged: not all of that could be read
    """

    path: str
    stamp: str
    damaged: bool


def partitions(host: str | None, day: str | None, place: Place) -> str:
    """Name the folder of a capture."""
    name = re.split(r"[/\\]", place.url.rstrip("/"))[-1]
    values = (_value(host or UNKNOWN), _value(day or UNKNOWN), f"{_value(name)}~{key(place)}")
    return "/".join(f"{each}={value}" for each, value in zip(PARTITIONS, values, strict=True))


def file(place: Place, *, damaged: bool) -> str:
    """Name the file in that folder."""
    return f"{stamp(place)}{_DAMAGED if damaged else ''}{SUFFIX}"


def key(place: Place) -> str:
    """Give what stands for where a capture lies."""
    return _hashed(place.url if is_url(place.url) else os.path.abspath(place.url))  # noqa: PTH100 - links stay links


def stamp(place: Place) -> str:
    """Give what stands for what is in a capture, and for how it is written down."""
    return _hashed(f"{SCHEMA} {place.stamp}")


def source(place: Place) -> str:
    """Say what a capture is called, to whoever may read the dataset."""
    return _USER.sub("", place.url)


def parsed(path: str) -> tuple[str, Named] | None:
    """Give the key of a path's capture, and what its file's name says; None if it is no file of a dataset."""
    parts = path.split("/")
    if len(parts) != len(PARTITIONS) + 1 or not parts[-1].endswith(SUFFIX):
        return None
    if any(not part.startswith(f"{each}=") for part, each in zip(parts, PARTITIONS, strict=False)):
        return None
    base = parts[-1].removesuffix(SUFFIX)
    return parts[2].rpartition("~")[2], Named(path, base.removesuffix(_DAMAGED), base.endswith(_DAMAGED))


def _value(text: str) -> str:
    value = "".join(_cut(quote(character, safe="") for character in printable(text) if _is_text(character)))
    return f"%2E{value[1:]}" if value.startswith(".") else value


def _cut(characters: Iterator[str]) -> Iterator[str]:
    left = _VALUE_MAX
    for each in characters:
        left -= len(each)
        if left < 0:
            return
        yield each


def _is_text(character: str) -> bool:
    return not "\ud800" <= character <= "\udfff"


def _hashed(text: str) -> str:
    return sha256(text.encode("utf8", "surrogatepass")).hexdigest()[:_DIGITS]
