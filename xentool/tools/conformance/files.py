"""What became of cases, written into files: all of a file, or nothing of it."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from xentool.tools.conformance.junit import junit
from xentool.tools.conformance.session import Judged
from xentool.tools.conformance.tap import tap
from xentool.tools.outputs import replaced


class Forms(NamedTuple):
    """Where each form goes; None for nowhere."""

    junit: Path | None = None
    tap: Path | None = None
    html: Path | None = None


def write(found: Sequence[Judged], forms: Forms, now: datetime, hostname: str) -> None:
    """Write the forms that are wanted.

    :raises XentoolError: a file cannot be written
    """
    if forms.junit:
        _write(forms.junit, junit(found, now, hostname))
    if forms.tap:
        _write(forms.tap, tap(found).encode())
    if forms.html:
        _write(forms.html, _page(found))


def _page(found: Sequence[Judged]) -> bytes:
    from xentool.tools.conformance.page import page  # noqa: PLC0415 - brings jinja2, which not everybody has

    return page(found)


def _write(path: Path, content: bytes) -> None:
    with replaced(path) as file:
        file.write(content)
