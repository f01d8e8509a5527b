"""docs/reading.md: each example is run as it stands there, and its answer is what the records are."""

import contextlib
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.traces.captures import capture
from traces import reader
from traces.exporters.details import naming
from traces.exporters.rows import groups
from xentool.cli.root import group
from xentool.errors import PeerError
from xentool.tools.tracing import reports

PAGE = (Path(__file__).parents[3] / "docs/reading.md").read_text()
#: Heading, what stands before, and the code.
EXAMPLES = [
    (section.splitlines()[0], number, code)
    for section in PAGE.split("\n## ")[1:]
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", section, re.DOTALL))
]
#: Page faults begin late enough in it that no reader that guesses sees one.
CAPTURE = "xen-4.17-pv1"
BYTES = 600_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reading")
    (made / "trace.xentrace").write_bytes(capture(CAPTURE)[:BYTES])
    (commands,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        for line in commands.splitlines():
            program, *words = line.split()
            assert program == "xentool"
            # It ends in the middle of a record.
            with pytest.raises(PeerError, match="truncated"):
                group.main(words, standalone_mode=False)
    return made


@pytest.fixture(scope="module")
def truth(folder: Path) -> tuple[set[int], int, int]:
    """Give the addresses, and the least and most step of time stamps, from the records themselves."""
    path = folder / "trace.xentrace"
    with reports.opened(path) as source:
        report = reports.report(source, str(path))
        source.seek(0)
        tables = list(reader.read(source, reader.Reader()))
    found = [one for table in tables for one in groups(table, naming(report))]
    addresses = {
        int(address) for one in found if "address" in one.columns for address in one.columns["address"].tolist()
    }
    stamps = sorted(pair for table in tables for pair in zip(table.offset.tolist(), table.tsc.tolist(), strict=True))
    steps = [after - before for (_, before), (_, after) in pairwise(stamps)]
    return addresses, min(steps), max(steps)


def test_what_goes_wrong_elsewhere_is_in_it(truth: tuple[set[int], int, int]) -> None:
    addresses, least, _ = truth
    assert any(address >> 63 and int(float(address)) != address for address in addresses)
    assert least < 0


@pytest.mark.parametrize(("section", "number", "code"), EXAMPLES)
def test_an_example_finds_what_there_is(
    section: str, number: int, code: str, folder: Path, truth: tuple[set[int], int, int]
) -> None:
    names: dict[str, Any] = {}
    with contextlib.chdir(folder):
        exec(compile(code, f"docs/reading.md, {section}, {number}", "exec"), names)  # noqa: S102 - our own page
    bounds = (names["row"]["least"], names["row"]["most"]) if "row" in names else (names["least"], names["most"])
    assert ({int(one) for one in names["addresses"]}, *map(int, bounds)) == truth


def test_all_readers_and_formats_are_there() -> None:
    assert [section for section, _, _ in EXAMPLES] == ["Parquet"] * 5 + ["CSV"] * 5 + ["JSON lines"] * 5
