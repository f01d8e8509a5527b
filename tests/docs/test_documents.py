"""JSON as commands print it, held to the types of `xentool.documents`, and docs/json.md made of them."""

import ast
import importlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator, ValidationError

from pvdrivers.transport.loopback import Loopback
from pvdrivers.xenstore.client import Client
from tests.docs import documents, schemas
from tests.docs.paths import ROOT
from tests.docs.shapes import wrong
from tests.pvdrivers.bus.joined import until
from tests.pvdrivers.xenstore.served import served
from tests.traces.captures import capture, stranger
from tests.traces.kvm import streams
from tests.traces.kvm import traces as kvm
from tests.xentool.cli import serving as process
from tests.xentool.cli.inprocess import ran
from tests.xentool.cli.kept import keep
from tests.xentool.cli.running import run
from tests.xentool.detect.machines import MACHINES, build
from tests.xentool.tools.channels.consoles import CONSOLE, NODES
from tests.xentool.tools.pci_hosts import DOM0
from tests.xentool.tools.recorded import STATS
from tests.xentool.tools.recorded import store as recorded
from tests.xentool.tools.tracing.tracefs.kvmhost import KvmHost
from traces.counting.wallclock import Noted, Pair
from traces.exporters import columns
from xentool.detect.answer import answer
from xentool.detect.document import document as detected
from xentool.detect.sources import read
from xentool.documents import (
    block,
    captures,
    channels,
    compare,
    conformance,
    detect,
    doctor,
    domains,
    explain,
    hosts,
    labs,
    net,
    report,
    serving,
    store,
)
from xentool.lab import guest
from xentool.lab.record import Lab
from xentool.lab.status import Status
from xentool.tools import xl
from xentool.tools.channels import dump
from xentool.tools.channels.survey import made, parsed
from xentool.tools.devices import pci
from xentool.tools.devices.diagnose import problems
from xentool.tools.devices.inspect import Inspected, Inspection
from xentool.tools.devices.paired import devices
from xentool.tools.domains import xl_stats
from xentool.tools.tracing import sidecar
from xentool.tools.tracing.record import Recording
from xentool.tools.tracing.tracefs.survey import Survey

#: PV, PVH; damage and clocks that differ, Intel's exits, a domid given twice, no run states.
TRACES: dict[str, Callable[[], bytes]] = {
    "pv": lambda: capture("xen-4.17-pv1")[:700_000],
    "pvh": lambda: capture("xen-4.20-pvh")[:700_000] + b"\xff" * 7,
    "skew": lambda: stranger("hop-skew-2ms"),
    "intel": lambda: stranger("intel-plain"),
    "lives": lambda: stranger("domid-reused"),
    "exits": lambda: stranger("real-4.20-exits-only"),
}


#: By the type that a document has: what checks it as a program of somebody else's does.
VALIDATORS = {
    kind: Draft202012Validator(json.loads((schemas.SCHEMAS / f"{name}.json").read_text()))
    for name, kind in schemas.documents()
}


def fits(text: str, kind: object, *, more: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    assert list(wrong(found, kind, more=more)) == []
    if isinstance(kind, type) and kind in VALIDATORS:
        VALIDATORS[kind].validate(found)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("traces")
    for name, of in TRACES.items():
        (made / name).write_bytes(of())
    return made


def test_kvms_reports_and_records(tmp_path: Path) -> None:
    (tmp_path / "trace.dat").write_bytes(kvm.sample())
    told = fits(ran("report", str(tmp_path / "trace.dat"), "--json").stdout, report.Report)
    assert told["capture"]["source"] == "kvm"
    for line in ran("dump", str(tmp_path / "trace.dat"), "--json").stdout.splitlines():
        fits(line, report.KvmRecord)


@pytest.mark.parametrize("name", TRACES)
def test_reports(folder: Path, name: str) -> None:
    words = ("--times", "--slowest", "3", "--interval", "1s") if name in ("pv", "pvh") else ()
    told = fits(ran("report", str(folder / name), "--json", *words).stdout, report.Report)
    assert told["domains"]
    assert all(name in told for name in ("hypercall_times", "slowest", "intervals")) or not words
    if name == "skew":
        assert told["capture"]["clock_skew"]["corrected"]


def test_a_part_of_a_report(folder: Path) -> None:
    told = fits(ran("report", str(folder / "pv"), "--json", "--from", "0.1", "--pcpu", "0").stdout, report.Report)
    assert told["chosen"]["pcpus"] == [0]


def test_differences(folder: Path) -> None:
    told = fits(ran("diff", str(folder / "pvh"), str(folder / "pv"), "--json").stdout, report.Diff)
    assert told["domains"][0]["changes"]


def test_records(folder: Path) -> None:
    lines = ran("dump", str(folder / "pv"), "--json", "--to", "0.02").stdout.splitlines()
    assert len(lines) > 100
    for line in lines:
        fits(line, report.Record, more=True)


def test_metadata_of_exports() -> None:
    told = columns.metadata(SimpleNamespace(clock=SimpleNamespace(hz=1e9, source="trace")))  # type: ignore[arg-type] # all that it reads
    fits(json.dumps(told), captures.EventsMetadata)


def test_recordings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    about = Recording(
        "xen1", "4.17.5", 2, 2e9, xl.Domain(1, "domU", "pv", 1), 1, ("hypercall",), 1024, 5, 1.0, False, 0.1
    )
    command = importlib.import_module("xentool.cli.record")
    monkeypatch.setattr(command.options, "tracing", lambda *_: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(command, "survey", lambda _: Survey("xen"))
    monkeypatch.setattr(command, "record", lambda *_, **__: about)
    fits(ran("record", "domU", "-o", str(tmp_path / "a"), "--json").stdout, captures.Recording)


def test_recordings_of_kvm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stream, path = tmp_path / "stream", tmp_path / "a"
    stream.write_bytes(streams.head(1) + b"".join(streams.rounds([kvm.LIFE], 1)) + streams.stats(0) + streams.END)
    host = KvmHost(stream, {streams.PID: streams.WORDS})
    monkeypatch.setattr("xentool.cli.common.options.tracing", lambda *_: host)
    fits(ran("record", "web", "-o", str(path), "--json").stdout, captures.KvmRecording)
    fits(sidecar.path_of(path).read_text(), captures.KvmSidecar)
    fits(ran("trace", "web", "--json").stdout, report.Report)
    for line in ran("trace", "web", "--dump", "--json").stdout.splitlines():
        fits(line, report.KvmRecord)


def test_sidecars(tmp_path: Path) -> None:
    for recorded_at in (None, Noted(1, 2, 3600, (Pair(5, 1, 1000),))):
        about = sidecar.Sidecar("xen1", "4.17", 2e9, 1, {}, ("xentool",), recorded=recorded_at)
        sidecar.write(tmp_path / "a", about)
        fits(sidecar.path_of(tmp_path / "a").read_text(), captures.Sidecar)


LIBVIRT = ("-c", "test:///default")


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("list",), domains.Domains),
        (("info",), domains.Host),
        (("show", "test"), domains.OneDomain),
        (("top", "-n", "1", "-d", "0.1"), domains.Top),
    ],
)
def test_hosts_by_libvirt(words: tuple[str, ...], kind: object) -> None:
    fits(ran(*words, *LIBVIRT, "--json").stdout, kind)


def test_domains_by_xl() -> None:
    found = [asdict(one) for one in xl_stats.parse(STATS).domains]
    assert len(found) > 1
    fits(json.dumps({"schema": "xentool.domains/1", "domains": found}), domains.Domains)


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    all_devices = tuple(Inspected(one, tuple(problems(one, {0, 1, 2}))) for one in devices(recorded(), None))
    command = importlib.import_module("xentool.cli.device.list")
    monkeypatch.setattr(command.hosts, "resolve", lambda _: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(command, "xl", SimpleNamespace(rows=lambda _: []))
    monkeypatch.setattr(command, "inspect", lambda *_: Inspection(all_devices, ("/local/domain/9",)))
    monkeypatch.setattr("xentool.tools.devices.pci.read", lambda _: pci.parse(DOM0))
    told = fits(ran("device", "list", "--json").stdout, domains.Devices)
    assert {one["kind"] for one in told["devices"]} >= {"vbd", "vif", "console"}
    assert told["pci"][3]["physical"] == "0000:03:00.0"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("grants", "1"), channels.Grants),
        (("evtchn", "1"), channels.EventChannels),
        (("channels",), channels.Channels),
    ],
)
def test_channels(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], kind: object) -> None:
    command = importlib.import_module(f"xentool.cli.{words[0]}")
    monkeypatch.setattr(command, "resolve", lambda _: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(command, "survey", lambda _: made({0: "Domain-0", 1: "web"}, parsed(*dump.cut(CONSOLE)), NODES))
    chosen = SimpleNamespace(list_domains=lambda _: [], choose=lambda _, word: SimpleNamespace(domid=int(word)))
    monkeypatch.setattr(command, "xl", chosen, raising=False)
    fits(CliRunner().invoke(command.command, [*words[1:], "--json"]).stdout, kind)


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("store")
    with served(directory):
        with Client(directory / "dom0") as client:
            client.write("/a/text", b"hello")
            client.write("/a/bytes", b"\xff\x00")
        yield directory / "dom0"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("tree", "/a", "--json"), store.Store),
        (("ls", "/a", "--json"), store.Store),
        (("ls", "/a", "/", "--json"), store.Trees),
        (("snapshot", "-", "/a"), store.Store),
        (("read", "/a/text", "/a/bytes", "--json"), store.Values),
        (("list", "/a", "/", "--json"), store.Lists),
        (("write", "/a/text", "again", "/a/new", "1", "--dry-run", "--json"), store.Changes),
        (("rm", "/a/bytes", "--dry-run", "--json"), store.Changes),
    ],
)
def test_stores(monkeypatch: pytest.MonkeyPatch, socket: Path, words: tuple[str, ...], kind: object) -> None:
    monkeypatch.setenv("XENSTORED_PATH", str(socket))
    told = fits(ran("store", *words).stdout, kind)
    assert told.keys() & {"nodes", "trees", "directories", "changes"}


def test_machines(tmp_path: Path) -> None:
    # All of them are judged elsewhere; this is about the shape.
    for number, machine in enumerate([*MACHINES.values()][::9]):
        found = detected(answer(read(build(machine.tree, tmp_path / str(number)))))
        fits(json.dumps(found), detect.Detected)


def test_drivers_that_were_judged() -> None:
    told = fits(ran("conformance", "block-backend", "--case", "BB19", "--json").stdout, conformance.Conformance)
    assert told["summary"] == {"pass": 1}


def test_measurements_of_disks() -> None:
    # A process of its own: what its backend leaves open ends with it.
    done = run("block", "bench", "--seconds", "0.1", "--repeat", "2", "--json")
    told = fits(done.stdout, block.BlockBench)
    runs = told.pop("repeats")
    assert len(runs) == 2
    assert told in [fits(json.dumps(one), block.BlockBench) for one in runs]


def test_measurements_of_networks() -> None:
    # Where others have the processors, none may pass in so short a time.
    for seconds in ("0.1", "1", "10"):
        told = fits(ran("net", "bench", "--seconds", seconds, "--json").stdout, net.NetBench)
        if told["frames"]:
            break
    assert told["frames"]


@pytest.mark.parametrize(
    ("group", "device", "kind"),
    [("block", ["--disk", "mem:1M"], serving.Disk), ("net", ["--vif", "port=null"], serving.Vif)],
)
def test_devices_that_are_served(tmp_path: Path, group: str, device: list[str], kind: type) -> None:
    with process.serving(tmp_path / "loop", *device, "--json", group=group) as served:
        with Loopback(tmp_path / "loop", 0) as dom0:
            (own,) = dom0.store.directory("/local/domain/0/backend")
            home = f"/local/domain/0/backend/{own}/1"
            (number,) = dom0.store.directory(home)
            # By then it is served.
            until(lambda: dom0.store.read(f"{home}/{number}/state") == b"2")
        assert served.end() == 0
    (row,) = served.rows
    fits(json.dumps(row), kind)


def test_what_works_here() -> None:
    assert fits(ran("doctor", "--json").stdout, doctor.Doctor)["host"] == "local"


def test_hosts_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert fits(ran("host", "list", "--json").stdout, hosts.Hosts)["hosts"] == []
    ran("host", "add", "xen1", "ssh://root@xen1")
    ran("host", "use", "xen1")
    told = fits(ran("host", "list", "--json").stdout, hosts.Hosts)
    assert told["in_use"] == "xen1"
    assert told["hosts"] == [{"name": "xen1", "host": "ssh://root@xen1"}]


def test_explanations() -> None:
    assert fits(ran("explain", "iret", "--json").stdout, explain.Explain)["explanations"][0]["name"] == "iret"


def test_labs(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab("demo", "4.17", "abc", "tcg", 3072, 2, 2222, "key", "hosts", 1, 1.0, "up")
    command = importlib.import_module("xentool.cli.lab.status")
    monkeypatch.setattr(command.api, "status", lambda: [Status(lab, "dead", "its QEMU is gone"), Status(lab, "up")])
    fits(ran("lab", "status", "--json").stdout, labs.Labs)
    monkeypatch.setattr(command.api, "guest_list", lambda *_, **__: [guest.Running("domU", 1, "pv", 1, None)])
    fits(ran("lab", "guest", "list", "--json").stdout, labs.Guests)


def test_techniques_side_by_side(tmp_path: Path) -> None:
    trace = keep(tmp_path, "xen-pv", 3)
    fits(ran("compare", str(trace), "--json").stdout, compare.Compare)
    fits((tmp_path / "xen-pv.trace.phases.json").read_text(), compare.Phases)


def _schemas(folder: Path, pattern: str) -> set[str]:
    return {found for path in folder.rglob("*.py") for found in re.findall(pattern, path.read_text())}


def test_every_document_has_its_type() -> None:
    pattern = r"xentool\.[a-z.]+/\d+"
    described = _schemas(ROOT / "xentool/documents", pattern)
    written = _schemas(ROOT / "xentool", pattern) | _schemas(ROOT / "traces", pattern)
    assert written == described
    assert len(described) == len(re.findall(r"\| `schema` \|", documents.PAGE.read_text()))


def test_nothing_imports_them() -> None:
    found = [
        str(path)
        for room in ("xentool", "traces", "pvdrivers")
        for path in (ROOT / room).rglob("*.py")
        if path.parent != documents.FOLDER and re.search(r"(from|import) xentool\.documents", path.read_text())
    ]
    assert found == []


def test_the_page_is_made_of_them() -> None:
    assert documents.PAGE.read_text() == documents.page()


def test_the_schemas_are_made_of_them() -> None:
    assert {path.name: path.read_text() for path in schemas.SCHEMAS.iterdir()} == dict(schemas.texts())
    for validator in VALIDATORS.values():
        Draft202012Validator.check_schema(validator.schema)


def test_a_schema_is_printed_and_refuses_what_is_no_such_document() -> None:
    schema = json.loads(ran("schema", "labs").stdout)
    assert (schema["title"], schema["required"]) == ("xentool.labs/1", ["schema", "labs"])
    Draft202012Validator(schema).validate({"schema": "xentool.labs/1", "labs": []})
    with pytest.raises(ValidationError, match=r"'xentool\.labs/1' was expected"):
        Draft202012Validator(schema).validate({"schema": "xentool.labs/2", "labs": []})
    with pytest.raises(ValidationError, match="'image' is a required property"):
        Draft202012Validator(schema).validate({"schema": "xentool.labs/1", "labs": [{"name": "a", "xen": "4.17"}]})


def test_all_schemas_are_listed_with_what_they_are_of() -> None:
    lines = ran("schema").stdout.splitlines()
    assert [line.split()[0] for line in lines] == sorted(name for name, _ in schemas.documents())
    assert "report          `xentool report --json` and `xentool trace --json`. Times are in seconds" in "\n".join(
        lines
    )


def test_every_field_of_a_type_is_on_the_page() -> None:
    for name in documents.MODULES:
        module = importlib.import_module(f"xentool.documents.{name}")
        classes = [
            node.name
            for node in ast.parse(Path(module.__file__ or "").read_text()).body
            if isinstance(node, ast.ClassDef)
        ]
        for one in classes:
            section = documents.PAGE.read_text().split(f"### {name}.{one}\n")[1].split("\n### ")[0]
            assert all(f"| `{field}`" in section for field in get_type_hints(getattr(module, one)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda it: it.pop("domid"), ".domid is missing"),
        (lambda it: it.update(domid="1"), ".domid: '1' is no <class 'int'>"),
        (lambda it: it.update(more=1), ".more is not described"),
        (lambda it: it.update(vcpus=[{}]), ".vcpus[0].vcpu is missing"),
        (lambda it: it.update(mode="xen"), ".mode: 'xen' is no"),
        (lambda it: it.update(contention={"a": {"count": True, "seconds": 1}}), ".contention.a.count: True is no"),
        (lambda it: it.update(name=1), ".name: 1 is no <class 'str'>"),
    ],
)
def test_what_is_wrong_is_noticed(change: Callable[[dict[str, Any]], object], told: str) -> None:
    it: dict[str, Any] = {"domid": 1, "name": None, "mode": "pv", "lives": [], "contention": {}, "vcpus": []}
    assert list(wrong(it, report.Domain)) == []
    change(it)
    assert next(wrong(it, report.Domain)).startswith(told)
