"""What a capturing host knew, beside its capture: written and read again."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from traces.analyses.report import DomainInfo
from xentool.errors import PeerError
from xentool.tools.tracing import sidecar
from xentool.tools.tracing.moments import Offset
from xentool.tools.tracing.sidecar import Sidecar

KNOWN = Sidecar(
    "lab",
    "4.17.5",
    2.5e9,
    0x0F,
    {0: DomainInfo("Domain-0", "pv"), 3: DomainInfo("domU", None)},
    ("xentool", "trace", "domU"),
    0.125,
    clock=Offset(-1_500_000_000, 250_000),
)


def test_all_of_it_comes_back(tmp_path: Path) -> None:
    sidecar.write(tmp_path / "a.xentrace", KNOWN)
    assert [path.name for path in tmp_path.iterdir()] == ["a.xentrace.meta.json"]
    assert sidecar.read(tmp_path / "a.xentrace") == KNOWN


def test_a_capture_without_one(tmp_path: Path) -> None:
    assert sidecar.read(tmp_path / "a.xentrace") is None


def test_one_of_an_earlier_version_lacks_the_command_and_the_share(tmp_path: Path) -> None:
    sidecar.write(tmp_path / "a", KNOWN)
    path = sidecar.path_of(tmp_path / "a")
    document = json.loads(path.read_text())
    path.write_text(
        json.dumps({key: document[key] for key in document.keys() - {"command", "tracer_cpu_share", "clock"}})
    )
    assert sidecar.read(tmp_path / "a") == Sidecar(
        KNOWN.host, KNOWN.xen_version, KNOWN.hz, KNOWN.mask, KNOWN.domains, (), None
    )


@pytest.mark.parametrize(
    "wrong",
    [{"tracer_cpu_share": "much"}, {"command": 3}, {"hz": "nan"}, {"domains": [{}]}, {"clock": {"offset_s": 1}}],
)
def test_nonsense_names_the_file(tmp_path: Path, wrong: dict[str, object]) -> None:
    sidecar.write(tmp_path / "a", KNOWN)
    path = sidecar.path_of(tmp_path / "a")
    path.write_text(json.dumps(json.loads(path.read_text()) | wrong))
    with pytest.raises(PeerError, match=r"a\.meta\.json is no xentool\.capture/1 document"):
        sidecar.read(tmp_path / "a")


def _changed(**changes: object) -> str:
    whole = {"schema": sidecar.SCHEMA, "host": "h", "xen_version": "4.17", "hz": 2e9, "mask": 1, "domains": []}
    return json.dumps(whole | changes)


DOMAIN = {"domid": 1, "name": "web", "type": "pv"}
HOSTILE = {
    "infinity": _changed(hz=float("inf")),
    "not a number": _changed(hz=float("nan")),
    "below any clock": _changed(hz=1e-300),
    "400 digits": _changed(hz=10**400),
    "5,000 digits": _changed(hz=0).replace("0", "9" * 5000),
    "yes": _changed(hz=True),
    "a rate in words": _changed(hz="2e9"),
    "a share without end": _changed(tracer_cpu_share=float("inf")),
    "a mask below 0": _changed(mask=-1),
    "nested deep": "[" * 200_000 + "]" * 200_000,
    "half a character": _changed(domains=[{**DOMAIN, "name": "\ud800"}]),
    "half a character in a key": _changed(**{"\udfff": 1}),
    "a name of 3 MB": _changed(domains=[{**DOMAIN, "name": "x" * 3_000_000}]),
    "a schema of 3 MB": _changed(schema="x" * 3_000_000),
    "a host of 3 MB": _changed(host="x" * 3_000_000),
    "a list as a name": _changed(domains=[{**DOMAIN, "name": ["web"]}]),
    "a number as a type": _changed(domains=[{**DOMAIN, "type": 7}]),
    "a domain too far": _changed(domains=[{**DOMAIN, "domid": 1 << 16}]),
    "half a domain": _changed(domains=[{**DOMAIN, "domid": "1"}]),
    "no domain": _changed(domains=[None]),
    "domains by name": _changed(domains={"web": DOMAIN}),
    "domains without end": _changed(domains=7),
    "a command in one word": _changed(command="record"),
    "a command of lists": _changed(command=[[]]),
    "no document": "null",
    "a list": "[]",
    "a text": '"schema"',
    "nothing": "",
    "no Unicode": "\udcff",
    "twice": _changed() * 2,
    "endless": " " * (5 << 20),
    "many lists": "[" + "[]," * 50_000 + "[]]",
}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"schema": "xentool.capture/1"}', "it has no 'hz'"),
        ("[]", "what must be an object is something else"),
        ('{"schema": "xentool.capture/1", "hz": null}', "null is no number"),
        ('{"schema": "xentool.capture/1", "hz": 0}', "an integer is no number from 1 to"),
        (
            '{"schema": "xentool.capture/1", "hz": 1, "host": "", "xen_version": "", "mask": 1.5}',
            "1.5 is no whole number",
        ),
    ],
)
def test_why_a_sidecar_is_none_is_said_of_the_document(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.meta.json").write_text(text)
    with pytest.raises(PeerError, match=rf"is no xentool\.capture/1 document \((?:{why})"):
        sidecar.read(tmp_path / "a")


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_one_is_refused_in_one_line(what: str, tmp_path: Path) -> None:
    sidecar.path_of(tmp_path / "a").write_bytes(HOSTILE[what].encode(errors="surrogateescape"))
    with pytest.raises(PeerError) as refused:
        sidecar.read(tmp_path / "a")
    said = str(refused.value).removeprefix(str(tmp_path))
    assert len(said) < 350
    assert said.isprintable()


def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    path = sidecar.path_of(tmp_path / "a")
    os.mkfifo(path)
    with pytest.raises(PeerError, match="no regular file"):
        sidecar.read(tmp_path / "a")
    for other in ("/dev/zero", "/dev/tty", str(tmp_path)):
        path.unlink()
        path.symlink_to(other)
        with pytest.raises(PeerError, match="no regular file"):
            sidecar.read(tmp_path / "a")


def test_as_many_domains_as_there_can_be_are_read(tmp_path: Path) -> None:
    domains = {domid: DomainInfo(f"a-rather-long-name-of-a-domain-{domid}", "pvh") for domid in range(0x7FF0)}
    sidecar.write(tmp_path / "a", replace(KNOWN, domains=domains))
    found = sidecar.read(tmp_path / "a")
    assert found is not None
    assert found.domains == domains
