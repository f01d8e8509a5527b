"""The schema of the wide table as Arrow has it: by it pyarrow and pandas see that names are categories.

Kept here as pyarrow makes it, since pyarrow takes longer to load than a small trace to export. A test compares it with
``wide.schema``, and says how it is made.

Ref: Schema.fbs of apache/arrow; FlatBuffers' internals (strings)
"""

import base64
import zlib
from collections.abc import Mapping

#: Stand in the schema for what differs from table to table: a string may be shorter than the room it has.
PLACES = {"hz": b"#" * 32, "hz_source": b"@" * 32}
_PACKED = (
    "eNqFVD1oU1EUPkmTGvUhGTIEESlYnKRGrZKhQ4cgDiIixdHw+vJqCkleyHvpjxTp0KFjEcfiJOLg4OAsDg4OpWR06ODg4ODgIA41yfU7956YyzO+"
    "3vDl3tx89zvnnnPuUUopOkVUoNE4Q+domrKUwwojlaG87Dv4zsh+T6+JpoDnwF35vQ29kqxngMUTBiufBupPqmHQ7Xg+1h9jGpdOGKyR1hoE7xzt"
    "Y07Osgb7v+G3oiBozPlrWIRXr/GZaSD06n7TJTrPdrNEu8B9IA98weG3wDZQAn7isp+AfaANVIAi8B3GPwD1tHGklyLaAcopjh/RAccFmB/d6Tdi"
    "Tqk0+1WUPR5IA7m1WscPQ3pxrBQHpz/Q3Cznpxzj8xx13Davv4HnyJ14LGkblOIY3OkrVRkm6/gbqxGvS0Ojk5X/9i2dPegcWb5fsDTOsi9u57Ef"
    "Vde8dpcegcdnnP6YP2PxnTG/FjRXa7z3TM78iPlasM5xvbX8dVpEjeStfZJ7jnxdQDzKKlknaNRoV3SmLJ09S2cHOr3+5HxxjLyg2+LA3esb399Y"
    "NiuxOzM/7C4HnLAcvMnpSjX1mbbs5wdj+5kh+1cEbxr14YBbkPc4tjFr2dBvabPtdzy30dB28n/tOKYc9YgsG3XYeDcY39GOE/vV6hDNDcz9jhJ4"
    "67eIHgovM0zg3SR6KrwrSTw8mFfCW0ri3SA6FN5WEu860S/hvUzioTtcHBreQRIPTeq28EyOKJYj0jlaiNUBzy23ya1OOlVGvpEjZeVef4i+ah9o"
    "Yv3pfob5UPzYUpNrlWf9MDGOh6bmX6v/1/XoUV6W91FXk33guS26D4Sb17Vt6pV/Sb3+0zN0bYWmZ+fAzpntFPe9z5a9+LuNQo/eK9MfjS2K2TLn"
    "ZmP9aXkz8qvBykroR7pT8rvgfsk6fwCjBDS5"
)


def template() -> bytes:
    """Give the schema with ``PLACES`` in it."""
    return zlib.decompress(base64.b64decode(_PACKED))


def schema(metadata: Mapping[str, str]) -> str:
    """Give the value of the key ``ARROW:schema`` in a Parquet file."""
    found = template()
    for key, place in PLACES.items():
        value = metadata[key].encode()
        found = found.replace(
            len(place).to_bytes(4, "little") + place, len(value).to_bytes(4, "little") + value.ljust(len(place), b"\0")
        )
    return base64.b64encode(found).decode()
