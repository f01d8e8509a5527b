"""What files of a dataset are called: no name leaves it, none meets another, and readers have each back."""

from urllib.parse import unquote

import pytest

from xentool.tools.fleet.dataset import names
from xentool.tools.fleet.places import Place

HOSTILE = [
    "../../etc",
    "a/b",
    "x=y",
    "..",
    ".",
    "two\nlines",
    "a%2Fb",
    "ü" * 300,
    "\udcff",
    "",
    "\\..\\x",
    "\x1b[31m",
    "a b",
]


def place(url: str, stamp: str = "1 2") -> Place:
    return Place(url, 1, stamp, searched=True)


@pytest.mark.parametrize("host", HOSTILE)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_in_its_folder(host: str, name: str) -> None:
    found = names.partitions(host, "2026-11-01", place(f"/captures/{name}"))
    folders = found.split("/")
    assert [folder.partition("=")[0] for folder in folders] == ["host", "day", "capture"]
    assert found.isascii()
    assert found.isprintable()
    for folder in folders:
        assert len(folder) < 200
        value = folder.partition("=")[2]
        assert value not in {"", ".", ".."}
        assert "=" not in value
        unquote(value, errors="strict")


def test_names_can_be_read_back() -> None:
    one = place("s3://traces/web 1=2.xentrace.zst")
    path = f"{names.partitions('xen-ü', '2026-11-01', one)}/{names.file(one, damaged=False)}"
    values = [unquote(folder.partition("=")[2]) for folder in path.split("/")[:-1]]
    assert values == ["xen-ü", "2026-11-01", f"web 1=2.xentrace.zst~{names.key(one)}"]
    assert names.parsed(path) == (names.key(one), names.Named(path, names.stamp(one), damaged=False))
    damaged = path.replace(".parquet", "-damaged.parquet")
    assert names.parsed(damaged) == (names.key(one), names.Named(damaged, names.stamp(one), damaged=True))
    assert names.partitions(None, None, one).startswith("host=unknown/day=unknown/capture=web")


@pytest.mark.parametrize(
    "path", ["x.parquet", "host=a/day=b/capture=c~1", "a/b/c/1.parquet", "host=a/capture=c/day=b/1.parquet"]
)
def test_other_files_are_none_of_a_dataset(path: str) -> None:
    assert names.parsed(path) is None


def test_what_lies_elsewhere_has_another_name_and_what_changed_another_stamp() -> None:
    one, other, changed = place("/a/x.xentrace"), place("/b/x.xentrace"), place("/a/x.xentrace", "1 3")
    assert names.key(one) != names.key(other)
    assert names.partitions("h", None, one) != names.partitions("h", None, other)
    assert (names.key(one), names.stamp(one)) == (names.key(changed), names.stamp(one))
    assert names.stamp(changed) != names.stamp(one)


def test_no_password_is_told() -> None:
    assert names.source(place("sftp://me:secret@host/x.xentrace")) == "sftp://host/x.xentrace"
    assert names.source(place("/captures/me@home.xentrace")) == "/captures/me@home.xentrace"
