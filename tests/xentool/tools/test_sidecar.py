"""What a capturing host knew, beside its capture: written and read again."""

import json
from pathlib import Path

import pytest

from traces.analyses.report import DomainInfo
from xentool.errors import PeerError
from xentool.tools import sidecar
from xentool.tools.sidecar import Sidecar

KNOWN = Sidecar(
    "lab",
    "4.17.5",
    2.5e9,
    0x0F,
    {0: DomainInfo("Domain-0", "pv"), 3: DomainInfo("domU", None)},
    ("xentool", "trace", "domU"),
    0.125,
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
    path.write_text(json.dumps({key: document[key] for key in document.keys() - {"command", "tracer_cpu_share"}}))
    assert sidecar.read(tmp_path / "a") == Sidecar(
        KNOWN.host, KNOWN.xen_version, KNOWN.hz, KNOWN.mask, KNOWN.domains, (), None
    )


@pytest.mark.parametrize("wrong", [{"tracer_cpu_share": "much"}, {"command": 3}, {"hz": "nan"}, {"domains": [{}]}])
def test_nonsense_names_the_file(tmp_path: Path, wrong: dict[str, object]) -> None:
    sidecar.write(tmp_path / "a", KNOWN)
    path = sidecar.path_of(tmp_path / "a")
    path.write_text(json.dumps(json.loads(path.read_text()) | wrong))
    with pytest.raises(PeerError, match=r"a\.meta\.json is no xentool\.capture/1 document"):
        sidecar.read(tmp_path / "a")
