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
    "eNrFWD2MG0UUfr74DgMLsoSLE0LIMhHV6bDvxzpFKVKcEGkQQgkNP9be7lxsab1r7c/95GJ0RYqUERVFRBUhCgqKlAhRUKSIopQUKSgoKCgQQhTB"
    "5+G9mVl7szvec6SVPKd3M/vmm/e9mXnzdsecc/7wDYAaxOUVeB1WYBkq2MJSKkNV6Q38X1b6r1+jtpTPsF1DeWTI5x//5vyBat/H+qTRc2121LE8"
    "J+q7QeNS/dPP1+oN+dgRfSylFY8nDdfsM2w19o5D1vH29wMWNhCz32OO3ZnROTBd2ww64fFA9EY9N2xvUYcb9QfHGn2fhaZthiZq3chxhmv1KXEY"
    "WFlCpSyUCGec4ZG6FM0MlqvzkAysQZSlibWa+bTa+vlIfR6V7fV7dpZrop6T7PrVecgOtPM6eLF5zUfFDpiricGJWkO2uaFfRKnPDQqqs2GhtCkq"
    "ywzZDc/vWaaT5dPRnRCmEw8TJ5A8QJDn28xnNir2TSdgw+ecOmxmXZK6OedOC33+3A9bGppW8TQbGpqN4mk2NTSbxdNsaWi2iqfZ1tBsF0/T1tC0"
    "C6dxfc0Z8wun6SLax8PpZNme61rQsQ6iPW+QdW2iXpBblhfp8u1EXegWeY7mlaWUC5q/yw410SmVC3IpNP0bLOzMeMOnewvdIGVc/75PdRZKzI56"
    "ure+0i5qI3xTc2Jj7YKcMm3bZ4HmazbRMeeX8/WZH7V0UTDD0O/tRaHw7GRIVwefmaHnC9+d3p5v+sdk5gg/zTzPaQynzAfMD3qeS72t9eZ6szGk"
    "G84KigQAnOK9qKnuN3WUK+cUGv8ySvdmJ/Ai32LY/iVl451zCtlYEjYAb1mGuGtV1FiyQfcwNZl18cEZvNeK/Q6sLuubAG8S7zLAHZSPUKoov+Hg"
    "H1BOUZoo/1wAeIhyD2WAsouyivInkv+M0l2SjjwpAdxG2SnRPRDvd1idomzFc/qPc+xYIr9WlY7KSyhqt+GbZ5zT4ozOBHaZ7pk7KTzVFLXU/gNx"
    "hpoTlWuCA0q0Bh+MON8d59uhI0nt5ljaWVZ99xJ27qKdpwnf30rYeJV8mSYS+AJxNMYYTfH1BN6Y4kXKI91XasxfKV9riXG43IBpHK5gjFQTelDz"
    "jH29jOuxw/Pt4BsK7ig7FxJ27ibs3EY7T0b6/aI1Ei9UrD8cSd+/T3DupuZMePFdABSnNZSyiNOqit+4VM+m/OUx+beKuBWMDwOxNfW7wpTjYoJD"
    "nKX4s0jwVCc8hgxHUcIERxc5HpxN55hcJ/LL9QHWz+T8nubgDtsAnyhceZyD2wb4UuHW8nB4YL5VuGt5uE2Axwp3Kw+3AfCvwt3Pw2F2eHsscY/y"
    "cJik3lc4uUeQ2iMQe3Q5FQdUU3YHsT8V9euQ1Bs8sffiD+B34QNo40/kM6wfKz9ucX2sUi0OJpZnYxnz3/HZcR0fynfV+ehyvQ9UD5TdjxW2KmJb"
    "xis9qXjN5AwRW4HM2RVEV6S6RHnv1wRf+tyGgQU/cZkfJRekuOS4i6n8lPjBS2RKOheUL8nO/9LzSUc="
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
