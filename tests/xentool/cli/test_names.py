"""Names that others chose, hostile ones, in all that every command prints: nothing a terminal would act on comes out.

Each command of the tree runs here, in this process, on such names from wherever it gets any: domains' from sidecars,
xl, libvirt and --name, files', nodes' values, Xen's console, a Parquet file. Documents for programs keep them exactly.
"""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest

from pvdrivers.xenstore.client import Client
from tests.pvdrivers.xenstore.served import served
from tests.traces.captures import capture, stranger
from tests.xentool.cli.inprocess import Done, ran
from tests.xentool.tools.channels.consoles import CONSOLE
from tests.xentool.tools.recorded import INFO
from tests.xentool.tools.tracing.pretended import Pretended
from xentool import cli, output
from xentool.cli import root
from xentool.errors import XentoolError
from xentool.hosts.base import Completed, Stream
from xentool.hosts.local import LocalHost
from xentool.lab import api
from xentool.lab.guest import Running
from xentool.lab.record import Lab
from xentool.lab.status import Status

#: rich's markup, an emoji's name, a format's percent sign; escape sequences, also of one byte; a carriage return, a
#: change of direction, no width, another line's end; what separates stacks, and a wide character, which stays.
EVIL = "w[/x][red]:cat:%s\x1b]0;pwn\x07\x1b[2J\x9b2J\r\u202e\u2066\u200b\u2028;網"
SHOWN = r"w[/x][red]:cat:%s\x1b]0;pwn\x07\x1b[2J\x9b2J\r\u202e\u2066\u200b\u2028;網"
#: What a table of xl's can hold of it.
IN_A_LINE = SHOWN.replace(r"\r", "")
#: Where a name may hold this as well.
LINES = EVIL + "\nxentool: forged"
LINES_SHOWN = SHOWN + r"\nxentool: forged"

#: Commands that show nothing from elsewhere, and those that hand a terminal to somebody else, as their help says.
NOTHING = {
    ("completion",): "its own words",
    ("man",): "its own words",
    ("schema",): "its own words",
    ("explain",): "its own words",
    ("lab", "shell"): "the terminal is dom0's",
    ("lab", "run"): "the streams are the command's",
}


#: What may be echoed as it is: JSON in ASCII, and what `store` escapes by its own rule.
HARMLESS = {"json", "shown", "line", "text", "completion"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with traces under a hostile name, a host made of files, and a disk."""
    folder = tmp_path_factory.mktemp("names")
    for name, data in (("a", stranger("intel-plain")), ("long", capture("xen-4.17-pvh"))):
        path = folder / f"{name} {EVIL.replace('/', '|')}.xentrace"
        path.write_bytes(data)
        domains = [{"domid": domid, "name": f"{LINES}{domid}", "type": f"pv{EVIL}"} for domid in range(8)]
        known = {"host": EVIL, "xen_version": f"4.17.5{EVIL}", "hz": 2.4e9, "mask": 1, "command": [EVIL]}
        sidecar = {"schema": "xentool.capture/1", **known, "tracer_cpu_share": 0.1, "domains": domains}
        path.with_name(path.name + ".meta.json").write_text(json.dumps(sidecar))
    (folder / "lone").write_bytes(stranger("intel-plain"))
    (folder / "bin").mkdir()
    xl = folder / "bin/xl"
    xl.write_text(
        f'#!/bin/sh\nd="{folder}"\ncase "$1 $2" in\n"list --long") cat "$d/long.json";;\nlist*) cat "$d/list";;\n'
        'info*) cat "$d/info";;\nvcpu-list*) cat "$d/vcpus";;\ndmesg*) cat "$d/dmesg";;\ndebug-keys*) ;;\n'
        '*) echo "libxl: error: $(cat "$d/evil")" >&2; exit 1;;\nesac\n'
    )
    xl.chmod(0o755)
    # A line is a line: what libxl prints of a name with line ends is no table.
    name = EVIL.replace("\r", "")
    rows = "".join(f"{name}{domid}      {domid}  256  1  -b----  12.3\n" for domid in (1, 5))
    (folder / "list").write_text(f"Name  ID  Mem VCPUs State Time(s)\nDomain-0  0  1024  2  r-----  100.0\n{rows}")
    config = [{"domid": domid, "config": {"c_info": {"type": "pv"}, "b_info": {}}} for domid in (1, 5)]
    (folder / "long.json").write_text(json.dumps(config))
    (folder / "vcpus").write_text("Name  ID  VCPU  CPU State Time(s) Affinity\n")
    (folder / "info").write_text(INFO + f"xen_extra : {EVIL}\n")
    (folder / "dmesg").write_text(CONSOLE.replace("\n", f"\n(XEN) {name}\n", 1))
    (folder / "evil").write_text(name)
    (folder / f"file {EVIL.replace('/', '|')}").write_text(f"write /x {EVIL}\n")
    (folder / "root/proc").mkdir(parents=True)
    (folder / "root/proc/cpuinfo").write_text(f"vendor_id : {EVIL}\nflags : hypervisor\n")
    # XML takes no control characters.
    seen = "".join(each for each in EVIL if each.isprintable() or each in "\u202e\u2066\u200b\u2028")
    described = f"<name>{seen.replace('/', '|')}</name><memory>9</memory><os><type>hvm</type></os>"
    (folder / "node.xml").write_text(f"<node><domain type='test'>{described}</domain></node>")
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("store")
    with served(directory), Client(directory / "dom0") as client:
        value = LINES.encode()
        front, back = "/local/domain/1/device/vbd/51712", "/local/domain/0/backend/vbd/1/51712"
        for path, data in {
            "/local/domain/1/name": value,
            f"{front}/backend": back.encode(),
            f"{front}/backend-id": b"0",
            f"{front}/state": value,
            f"{front}/virtual-device": value,
            f"{back}/frontend": front.encode(),
            f"{back}/frontend-id": b"1",
            f"{back}/state": b"4",
            f"{back}/params": value,
            f"{back}/dev": value,
        }.items():
            client.write(path, data)
        yield directory / "dom0"


class Dom0(Pretended):
    """A dom0 that is a few files; it traces when it is told to."""

    name = f"host {EVIL}"
    trace = b""

    def __init__(self) -> None:
        super().__init__('echo xentool: started 32 >&2; cat "$TRACED"; echo xentool: ended stop 0 1 >&2')

    def run(self, argv: Sequence[str], **more: Any) -> Completed:  # noqa: ANN401 - as they are
        if argv[0] == "sh" and "anon_inode:kvm-vm" in argv[2]:
            return Completed(tuple(argv), 0, b"xen\n", b"")
        return super().run(argv, **more)

    def popen(self, argv: Sequence[str], *, stdin: Stream, stdout: Stream, stderr: Stream) -> subprocess.Popen[bytes]:
        if argv[:2] == ["bash", "-s"]:
            return super().popen(argv, stdin=stdin, stdout=stdout, stderr=stderr)
        return LocalHost.popen(self, argv, stdin=stdin, stdout=stdout, stderr=stderr)


def path_of(words: Sequence[str]) -> tuple[str, ...]:
    """Name the command that is called."""
    command: click.Command = root.group
    path = []
    for word in words:
        if not isinstance(command, click.Group):
            break
        found = command.get_command(click.Context(command), word)
        if found is None:
            break
        path.append(word)
        command = found
    return tuple(path)


def every(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        yield path
        return
    for name in command.list_commands(click.Context(command)):
        found = command.get_command(click.Context(command), name)
        assert found is not None
        yield from every(found, (*path, name))


@pytest.fixture(scope="module", autouse=True)
def host(folder: Path, store: Path) -> Iterator[None]:
    """Let this machine be a dom0 that says what the folder holds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
        patch.setenv("TRACED", str(next(folder.glob("a *.xentrace"))))
        patch.setenv("XENSTORED_PATH", str(store))
        patch.setenv("COLUMNS", "100")
        patch.setenv("TERM", "dumb")
        patch.setattr(sys.modules["xentool.hosts.resolve"], "is_dom0", lambda: True)
        patch.setattr(sys.modules["xentool.hosts.resolve"], "LocalHost", Dom0)
        patch.setattr("xentool.tools.store.reach._PLACES", (str(store),))
        yield


def trace_of(folder: Path, name: str = "a") -> str:
    return str(next(folder.glob(f"{name} *.xentrace")))


TRACES: list[list[str]] = [
    ["report", "TRACE"],
    ["report", "TRACE", "--slowest", "3", "--histograms", "--times", "--interval", "5ms"],
    ["report", "TRACE", "--domain", EVIL],
    ["dump", "TRACE", "--domain", f"{LINES}5"],
    ["dump", "TRACE", "--symbols", "TRACE"],
    ["diff", "TRACE", "TRACE"],
    ["sql", "TRACE", f"select '{LINES}' as \"{LINES}\", name from domains"],  # noqa: S608 - a query is what it asks for
    ["sql", "TRACE", f'select "{EVIL}" from domains'],  # noqa: S608 - as above
    ["compare", "TRACE"],
    ["fleet", "report", "TRACE", "--by", "domain", "--workers", "1"],
    ["fleet", "report", f"nowhere {EVIL}"],
    ["fleet", "diff", f"nowhere {EVIL}", "--", EVIL],
    ["fleet", "report", "LONE", "--scheduler", EVIL],
    ["fleet", "convert", f"nowhere {EVIL}", "--to", f"to {EVIL}"],
    ["fleet", "record", "-H", EVIL, "-o", "OUTDIR"],
    ["fleet", "record", "-H", f"ssh://{EVIL}", "-o", "OUTDIR"],
    ["fleet", "record", "-H", "local", "-H", "lab:nobody", "-o", "OUTDIR"],
    ["fleet", "record", "-H", "local", "--bundle", "-o", "OUTDIR"],
    ["fleet", "record", "-H", "local", "-o", f"/dev/null/{EVIL}"],
    ["compare", "--on", EVIL],
    ["sql", "TRACE", "--tables"],
    ["export", "TRACE", "--format", "folded", "-o", "-"],
    ["export", "TRACE", "--format", "parquet", "-o", f"/nowhere/{EVIL}"],
    ["report", "LONE", "--name", f"5={LINES}"],
    ["report", f"nowhere {EVIL}"],
    ["report", EVIL, EVIL],
    ["report", f"--{EVIL}"],
    [EVIL],
    ["report", "LONE", "--name", EVIL],
    ["report", "LONE", "-e", EVIL],
    ["report", "LONE", "--interval", EVIL],
]
HOSTS: list[list[str]] = [
    ["list"],
    ["list", "-c", "LIBVIRT"],
    ["list", "-c", f"nosuch:///{EVIL}"],
    ["info"],
    ["doctor"],
    ["show", "1"],
    ["show", "1", "-c", "LIBVIRT"],
    ["show", EVIL],
    ["walk", EVIL, "ffffffff81000000"],
    ["walk", "1", EVIL],
    ["top", "-n", "1", "-d", "0.1"],
    ["top", "-n", "1", "-d", "0.1", "-c", "LIBVIRT"],
    ["grants", "1"],
    ["grants", "5"],
    ["evtchn", "1"],
    ["channels"],
    ["channels", "--dot"],
    ["device", "list"],
    ["device", "attach", "1", "block", EVIL],
    ["device", "attach", "1", "block", EVIL, "--dry-run"],
    ["device", "attach", "1", "net", f"port={EVIL}"],
    ["device", "detach", "1", "block", EVIL],
    ["create", "EVILFILE"],
    ["create", "EVILFILE", "--dry-run"],
    ["destroy", "1"],
    ["pause", "1"],
    ["unpause", "1"],
    ["shutdown", "1"],
    ["trace", "5", "-d", "1"],
    ["trace", "5", "--live"],
    ["trace", "5", "--dump"],
    ["trace", EVIL],
    ["record", "--all", "-o", "OUT"],
    ["record", "--all", "--bundle", "-o", "OUT"],
    ["list", "-H", f"ssh://{EVIL}"],
    ["list", "-H", EVIL],
    ["list", "--sort", EVIL],
    ["list", "-o", "name"],
    ["device", "list", "-o", "name"],
    ["detect", "-H", EVIL],
    ["host", "add", EVIL, "ssh://xen1"],
    ["host", "add", "xen1", f"ssh://{EVIL}"],
    ["host", "use", EVIL],
    ["host", "remove", EVIL],
    ["host", "list"],
]
STORES: list[list[str]] = [
    ["store", "tree"],
    ["store", "ls"],
    ["store", "ls", "-f", "-p", "/local"],
    ["store", "list", "/local/domain/1"],
    ["store", "list", EVIL],
    ["store", "read", "-p", "/local/domain/1/name", "/local/domain/1/device/vbd/51712/state"],
    ["store", "read", "-p", EVIL],
    ["store", "exists", EVIL],
    ["store", "watch", "/local", "-n", "1", "--timeout", "0"],
    ["store", "watch", "--until", f"/local/domain/1/name={EVIL}", "--timeout", "0"],
    ["store", "watch", "--until-exists", EVIL, "--timeout", "0"],
    ["store", "write", "--dry-run", "/local/domain/1/name", "other"],
    ["store", "write", EVIL, "other"],
    ["store", "mkdir", EVIL],
    ["store", "rm", "--dry-run", "/local/domain/1/name"],
    ["store", "rm", EVIL],
    ["store", "chmod", "--dry-run", "/local/domain/1/name", "n1"],
    ["store", "chmod", "/local/domain/1/name", EVIL],
    ["store", "apply", "EVILFILE"],
    ["store", "snapshot", "OUT"],
    ["store", "snapshot", f"/nowhere/{EVIL}"],
    ["store", "diff", "OUT"],
    ["store", "diff", "EVILFILE"],
    ["store", "serve", "--socket", f"/nowhere/{EVIL}"],
    ["store", "serve", "--socket", "OUT", "--state", f"/nowhere/{EVIL}"],
    ["store", "serve", "--socket", "OUT", "--domain-socket", EVIL],
    ["block", "serve", "--disk", f"/nowhere/{EVIL}", "--loopback", "names"],
    ["block", "serve", "--disk", f"mem:{EVIL}", "--loopback", "names"],
    ["block", "bench", "--loopback", EVIL],
    ["net", "serve", "--vif", f"port=pcap:/nowhere/{EVIL}", "--loopback", "names"],
    ["net", "serve", "--vif", f"port={EVIL},domain={EVIL}", "--loopback", "names"],
    ["net", "serve", "--vif", f"port=null,{EVIL}=x", "--loopback", "names"],
    ["net", "serve", "--vif", f"port=null,rate={EVIL}", "--loopback", "names"],
    ["net", "bench", "--loopback", EVIL],
    ["net", "dump", EVIL, "-o", "-"],
    ["net", "dump", "--loopback", EVIL, "-o", "-"],
    ["conformance", EVIL],
    ["conformance", "block-backend", "--case", EVIL],
    ["conformance", "--explain", EVIL],
    ["conformance", "block-backend", "--case", "BB01", "--junit", f"/nowhere/{EVIL}"],
    ["detect", "--why", "--root", f"/nowhere/{EVIL}"],
    ["detect", "--why", "--root", "ROOT"],
]


def spelled(folder: Path, words: Sequence[str]) -> list[str]:
    known = {
        "TRACE": trace_of(folder),
        "LONG": trace_of(folder, "long"),
        "LONE": str(folder / "lone"),
        "OUT": str(folder / "out"),
        "OUTDIR": str(folder / f"outs {EVIL.replace('/', '|')}"),
        "ROOT": str(folder / "root"),
        "EVILFILE": str(folder / f"file {EVIL.replace('/', '|')}"),
        "LIBVIRT": f"test://{folder}/node.xml",
    }
    return [known.get(word, word) for word in words]


def visible(done: Done) -> None:
    """Assert that nothing in it is more than visible text, and no line is somebody else's."""
    # Colours are our own: the name has none.
    for text in (re.sub(r"\x1b\[\d+m", "", done.stdout), done.stderr):
        assert {each for each in text if not each.isprintable()} <= {"\n"}, ascii(text)
        assert "\nxentool: forged" not in text
    assert "a mistake in xentool itself" not in done.stderr


def shows(done: Done, text: str) -> None:
    """Assert that a name is there, all of it; a table folds one where there is no room."""
    assert re.sub(r"\s", "", text) in re.sub(r"\s", "", done.stdout + done.stderr)


@pytest.mark.parametrize("words", TRACES + STORES + HOSTS, ids=lambda words: ascii(" ".join(words))[:50])
def test_nothing_reaches_a_terminal(folder: Path, words: list[str]) -> None:
    spelt = spelled(folder, words)
    if words[0] != "sql":  # in a pipe its answer is CSV
        visible(ran(*spelt))
    if words[0] in ("report", "diff", "dump", "sql", "export", "show"):
        # On a busy machine it would say that it waits, and take that back.
        with output.drawing():
            visible(ran(*spelt, terminal=True))


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["report", "TRACE"], f"{LINES_SHOWN}5  (domid 5, "),
        (["report", "TRACE", "--slowest", "1"], f"{LINES_SHOWN}5 v0 on pCPU 0"),
        (["report", "TRACE", "--times"], "w[/x][red]:cat:%s"),
        (["report", "LONG"], f"{LINES_SHOWN}0 maps pages of"),
        (["report", "LONG", "--histograms"], f"{LINES_SHOWN}3 v0: times running"),
        (["report", "LONG", "--interval", "1s"], f"{LINES_SHOWN}3, every 1 s"),
        (["report", "LONE", "--name", f"5={LINES}"], f"{LINES_SHOWN}  (domid 5"),
        (["report", "TRACE", "--domain", "nobody"], f"it has {LINES_SHOWN}5 (5)"),
        (["diff", "LONG", "LONG"], f"Domain {LINES_SHOWN}3 (domid 3)"),
        (
            ["export", "TRACE", "--format", "folded", "-o", "-"],
            LINES_SHOWN.replace(";", r"\x3b") + "5 (d5);v0;running ",
        ),
        (["fleet", "record", "-H", "local", "-o", "OUTDIR"], SHOWN.replace("/", "|")),
        (["list"], f"{IN_A_LINE}1"),
        (["show", "1"], f"{IN_A_LINE}1  (domid 1, pv)"),
        (["top", "-n", "1", "-d", "0.1"], f"{IN_A_LINE}1"),
        (["grants", "1"], f"d1 {IN_A_LINE}1: "),
        (["evtchn", "1"], f"d1 {IN_A_LINE}1: "),
        (["channels"], f"d0 Domain-0 - d1 {IN_A_LINE}1"),
        (["device", "list"], f"{IN_A_LINE}1"),
        (["show", "nobody"], f"there are Domain-0 (0), {IN_A_LINE}1 (1)"),
        (["pause", "1"], f"xl refused on host {SHOWN}: w[/x][red]:cat:%s"),
        (["trace", "5"], f"{IN_A_LINE}5  (domid 5, pv, "),
        (["trace", "5", "--live"], f"Tracing {IN_A_LINE}5 for "),
        (["list", "-c", "LIBVIRT"], "w[|x][red]:cat:%s]0;pwn[2J2J"),
        (["store", "tree"], r'name = "w[/x][red]:cat:%s\x1b]0;pwn\007\x1b[2J\xc2\x9b2J\r\xe2\x80\xae'),
    ],
)
def test_a_name_is_seen_as_it_is(folder: Path, words: list[str], shown: str) -> None:
    done = ran(*spelled(folder, words))
    # A table folds a name where there is no room.
    assert re.sub(r"\s", "", shown) in re.sub(r"\s", "", done.stdout + done.stderr)


def test_documents_have_it_exactly(folder: Path) -> None:
    trace, name = trace_of(folder), f"{LINES}5"
    assert json.loads(ran("report", trace, "--json").stdout)["domains"][0]["name"] == name
    (row,) = ran("sql", trace, "select name from domains where domid = 5", "--json").stdout.splitlines()
    assert json.loads(row) == {"name": name}
    assert list(csv.reader(io.StringIO(ran("sql", trace, "select name from domains where domid = 5").stdout))) == [
        ["name"],
        [name],
    ]
    assert json.loads(ran("list", "--json").stdout)["domains"][1]["name"] == f"{EVIL.replace(chr(13), '')}1"
    ran("export", trace, "--format", "perfetto", "-o", str(folder / "timeline"))
    assert name.encode() in (folder / "timeline").read_bytes()


def test_a_page_shows_it_and_is_not_it(folder: Path) -> None:
    ran("report", trace_of(folder), "--html", str(folder / "page.html"))
    page = (folder / "page.html").read_text()
    assert f"<h3>{LINES_SHOWN}5" in page or f"{LINES_SHOWN}5</h" in page
    assert not {"\x1b", "\x07", "\u202e", "\u2066", "\u200b", "\u2028"} & set(page)


class FakeLab:
    """The lab's interface with a lab of a hostile name, whose guest's console says such things too."""

    lab = Lab(EVIL, EVIL, EVIL, EVIL, 1, 1, 1, EVIL, EVIL, 0, 0.0, EVIL)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the interface has
        return getattr(api, name)

    def status(self) -> list[Status]:
        return [Status(self.lab, EVIL, LINES)]

    def up(self, *_: object, progress: api.Progress, **__: object) -> Lab:
        progress.step(LINES)
        progress.detail(LINES)
        return self.lab

    def build(self, _: object, progress: api.Progress) -> api.Image:
        progress.step(LINES)
        return api.Image(Path(EVIL), api.RELEASES["4.17"], EVIL, EVIL)

    def adopt(self, *_: object) -> tuple[str, str]:
        return EVIL, EVIL

    def cached(self, **_: object) -> list[api.Left]:
        return [api.Left("image", Path(EVIL), 1, None), api.Left("console", Path("x"), 1, EVIL)]

    def down(self, *_: object) -> str:
        raise XentoolError(f"{EVIL} failed; the end of it:\n  {EVIL}")

    def sync(self, *_: object) -> str:
        return EVIL

    def console(self, *_: object, **__: object) -> list[bytes]:
        return [f"{EVIL}\r\n".encode()[:40], f"{EVIL}\r\n".encode()[40:], b"\xff\x1b[0;1mlogin\tred\n"]

    guest_console = console

    def guest_list(self, *_: object, **__: object) -> list[Running]:
        return [Running(EVIL, 1, EVIL, 1, EVIL)]

    def guest_types(self, *_: object, **__: object) -> tuple[str, ...]:
        return ("pv",)

    def guest_start(self, *_: object, **__: object) -> int:
        return 1

    def guest_stop(self, *_: object, **__: object) -> None:
        pass


LABS: list[list[str]] = [
    ["lab", "status"],
    ["lab", "up"],
    ["lab", "build"],
    ["lab", "adopt", "--vagrant"],
    ["lab", "down"],
    ["lab", "clean", "--dry-run"],
    ["lab", "sync"],
    ["lab", "logs"],
    ["lab", "logs", "--guest", "g"],
    ["lab", "guest", "list"],
    ["lab", "guest", "start", EVIL],
    ["lab", "guest", "stop", EVIL],
]


@pytest.mark.parametrize("words", LABS, ids=" ".join)
def test_a_lab(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    command: click.Command | None = root.group
    for word in words:
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), word)
    assert command is not None
    monkeypatch.setattr(sys.modules[command.callback.__module__], "api", FakeLab())
    done = ran(*words)
    visible(done)
    # A table cuts it where there is no room.
    assert SHOWN[:30] in done.stdout + done.stderr
    if "logs" in words:
        assert done.stdout.endswith("\ufffdlogin        red\n")


def test_a_console_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    done = ran("console", "1")
    visible(done)
    assert f"the console of {IN_A_LINE}1; Ctrl-] leaves it" in done.stderr


def test_no_command_is_forgotten() -> None:
    ran = {path_of(words) for words in [*TRACES, *STORES, *HOSTS, *LABS, ["console"]]}
    assert set(every(root.group)) - ran == NOTHING.keys()


def test_only_one_place_writes() -> None:
    # What goes round it would be seen here by no name.
    for path in (Path(cli.__file__).parent.parent).rglob("*.py"):
        text = path.read_text()
        assert path.name == "output.py" or "Console(" not in text, path
        assert "from rich.markup" not in text or path.name == "output.py", path
        echoed = re.findall(r"click\.echo\((\w+)", text)
        assert path.name in ("output.py", "root.py") or set(echoed) <= HARMLESS, (path, echoed)
