"""What cases quote stands in the headers that Debian installs, of the version that is pinned."""

import re
import subprocess
from pathlib import Path

import pytest

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import PINNED, Case

HEADERS = Path("/usr/include/xen/io")


def words(text: str) -> str:
    """Give a header's words, without what comments and the ends of lines add."""
    return " ".join(re.sub(r"^\s*\*(?: |$)|/\*|\*/|\\$", " ", text, flags=re.MULTILINE).split())


def test_the_headers_are_of_the_version_that_is_pinned() -> None:
    argv = ["dpkg-query", "--show", "--showformat", "${Version}", "libxen-dev"]
    installed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert f"Xen {installed}".startswith(f"{PINNED}.")


@pytest.mark.parametrize("case", registry.every(), ids=lambda case: case.ident)
def test_quotes_stand_there(case: Case) -> None:
    header = words((HEADERS / case.clause.header).read_text())
    assert words(case.clause.quote) in header
    # Where the header is silent, others are named.
    assert case.clause.quote or (case.clause.source and not case.clause.must)


def test_a_quote_that_stands_nowhere_is_noticed() -> None:
    assert words("a backend may do as it likes") not in words((HEADERS / "blkif.h").read_text())
