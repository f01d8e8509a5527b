"""Hosts by name: the file of people and of commands, and which host is meant."""

import os
from pathlib import Path

import pytest

from xentool.errors import XentoolError
from xentool.hosts import named, resolve
from xentool.hosts.forms import HostError
from xentool.hosts.named import Named


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XENTOOL_CACHE": str(tmp_path / "cache")}


def file(environ: dict[str, str]) -> Path:
    where = named.path(environ)
    assert where is not None
    return where


def write(environ: dict[str, str], text: str | bytes) -> Path:
    where = file(environ)
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes(text.encode() if isinstance(text, str) else text)
    where.chmod(0o600)
    return where


def test_where_it_is() -> None:
    assert named.path({"XDG_CONFIG_HOME": "/c", "HOME": "/h"}) == Path("/c/xentool/config.toml")
    assert named.path({"XDG_CONFIG_HOME": "c", "HOME": "/h"}) == Path("/h/.config/xentool/config.toml")
    assert named.path({}) is None
    assert named.read({}) == Named()
    with pytest.raises(XentoolError, match=r"neither \$XDG_CONFIG_HOME nor \$HOME"):
        named.add("xen1", "ssh://xen1", {})


def test_names_are_given_used_and_forgotten(environ: dict[str, str]) -> None:
    assert named.read(environ) == Named()
    named.add("xen1", "ssh://root@xen1:22", environ)
    named.add("a.example.org", "ssh://[::1]", environ)
    named.add("test", "lab:test", environ)
    named.add("test", "lab:test", environ)
    places = {"xen1": "ssh://root@xen1:22", "a.example.org": "ssh://[::1]", "test": "lab:test"}
    assert named.read(environ) == Named(places)
    named.use("xen1", environ)
    named.use("a.example.org", environ)
    assert named.read(environ) == Named(places, "a.example.org")
    assert file(environ).read_text() == (
        'use = "a.example.org"\n\n[hosts]\n'
        'xen1 = "ssh://root@xen1:22"\n"a.example.org" = "ssh://[::1]"\ntest = "lab:test"\n'
    )
    named.remove("test", environ)
    assert named.read(environ).used == "a.example.org"
    named.remove("a.example.org", environ)
    assert named.read(environ) == Named({"xen1": "ssh://root@xen1:22"})
    assert (file(environ).stat().st_mode & 0o777, file(environ).parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(file(environ).parent.iterdir()) == [file(environ)]


def test_what_people_wrote_stays(environ: dict[str, str]) -> None:
    written = '# mine\nuse = "b"  # today\n[hosts] # all\n# first\n\'a\' = "ssh://a"\n\nb = "ssh://b" # second\n\n'
    where = write(environ, written)
    where.chmod(0o640)
    named.add("c", "ssh://c", environ)
    named.use("c", environ)
    named.remove("a", environ)
    assert where.read_text() == (
        'use = "c"\n\n# mine\n[hosts] # all\n# first\n\nb = "ssh://b" # second\nc = "ssh://c"\n\n'
    )
    assert where.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_one(environ: dict[str, str], tmp_path: Path) -> None:
    write(environ, "").unlink()
    file(environ).symlink_to(tmp_path / "dotfile")
    named.add("xen1", "ssh://xen1", environ)
    assert file(environ).is_symlink()
    assert (tmp_path / "dotfile").read_text() == '[hosts]\nxen1 = "ssh://xen1"\n'


@pytest.mark.parametrize(
    "text", ['hosts = {a = "ssh://a"}\n', 'hosts.a = "ssh://a"\n', '[hosts]\n"\\u0061" = "ssh://a"\n']
)
def test_what_is_not_understood_is_not_changed(environ: dict[str, str], text: str) -> None:
    where = write(environ, text)
    assert named.read(environ) == Named({"a": "ssh://a"})
    with pytest.raises(XentoolError, match="only its editor may change"):
        named.remove("a", environ)
    assert where.read_text() == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[hosts", "Expected"),
        (b"\xff", "is not UTF-8"),
        ("x = 1", "'x' means nothing here"),
        ("hosts = 1", "no table of names"),
        ("[hosts]\na = 1", "'a' is no host"),
        ("[hosts]\na.b = 'ssh://b'", "'a' is no host"),
        ("[hosts]\n'-a' = 'ssh://a'", "'-a' is no host"),
        ("[hosts]\nlab = 'ssh://a'", "'lab' is no host"),
        ("[hosts]\na = 'ssh://-oProxyCommand=x'", "'a' is no host"),
        ("[hosts]\na = 'a'", "'a' is no host"),
        ("use = 'a'", "names no host"),
        ("use = 1", "names no host"),
        ("x = " + "[" * 60_000, "nests too deep"),
        ("#" * (named.LONGEST + 1), "longer than 64 KiB"),
    ],
)
def test_what_is_no_list_of_hosts_is_told_in_a_line(environ: dict[str, str], text: str | bytes, said: str) -> None:
    where = write(environ, text)
    with pytest.raises(XentoolError, match=said) as caught:
        resolve(None, environ)
    assert str(where) in str(caught.value)
    assert "\n" not in str(caught.value)
    # It is asked only where it matters.
    assert resolve("ssh://xen1", environ).name == "ssh://xen1"


def test_what_is_no_file_or_open_to_all_is_not_read(environ: dict[str, str]) -> None:
    where = write(environ, '[hosts]\na = "ssh://a"\n')
    where.chmod(0o602)
    with pytest.raises(XentoolError, match=f"anybody may write to {where}: `chmod o-w` it"):
        named.read(environ)
    where.unlink()
    os.mkfifo(where)
    with pytest.raises(XentoolError, match="is no file"):
        named.read(environ)


@pytest.mark.parametrize(
    ("name", "place"),
    [("lab", "ssh://a"), ("local", "ssh://a"), ("a b", "ssh://a"), ("-a", "ssh://a"), ("", "ssh://a"), ("a", "b")],
)
def test_what_cannot_be_a_name_or_a_place(environ: dict[str, str], name: str, place: str) -> None:
    with pytest.raises(HostError):
        named.add(name, place, environ)
    assert named.read(environ) == Named()


def test_which_host_is_meant(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    write(environ, 'use = "xen1"\n[hosts]\nxen1 = "ssh://root@xen1/"\nxen2 = "ssh://xen2"\n')
    assert resolve("ssh://xen3", environ).name == "ssh://xen3"
    assert resolve("xen2", {**environ, "XENTOOL_HOST": "xen1"}).name == "xen2"
    assert resolve(None, {**environ, "XENTOOL_HOST": "xen2"}).name == "xen2"
    assert capsys.readouterr() == ("", "")
    assert resolve(None, environ).name == "xen1"
    assert capsys.readouterr() == ("", "xentool: on xen1 (ssh://root@xen1/), the host in use\n")
    with pytest.raises(HostError, match=r"'xen3' is no host; .*did you mean 'xen2' or 'xen1'"):
        resolve("xen3", environ)
    with pytest.raises(HostError, match="no host is called 'xen3'"):
        named.use("xen3", environ)
    with pytest.raises(HostError, match="xen1 is ssh://root@xen1/; `xentool host remove xen1` forgets that"):
        named.add("xen1", "ssh://other", environ)
