"""What a case that failed leaves to look at, and that one that passed leaves nothing."""

from datetime import UTC, datetime
from pathlib import Path

from pvdrivers.conformance import registry
from pvdrivers.conformance.case import Verdict
from pvdrivers.conformance.level import SMALL
from pvdrivers.conformance.run import Plan, Result, run
from pvdrivers.net.captures import read
from tests.xentool.tools.conformance.mutants import MUTANTS, Mutant, mistaken
from tests.xentool.tools.conformance.net_front_mutants import NET_FRONT_MUTANTS
from xentool.tools.conformance.evidence import keep
from xentool.tools.conformance.our_vifs import net_frontend
from xentool.tools.conformance.session import Judged

PLAN = Plan(SMALL, seed=5, keep=True)
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def failed(mutant: Mutant) -> Result:
    subject = mutant.subject
    with mistaken(mutant):
        (result,) = run(subject, registry.chosen(subject.device, subject.role, (mutant.case,)), PLAN)
    assert result.verdict is Verdict.FAIL
    return result


def kept(result: Result, subject: str, folder: Path) -> Path:
    (place,) = keep([Judged(subject, "1", [result])], folder, NOW)
    assert place == folder / subject / result.case.ident
    return place


def test_a_vif_leaves_rings_nodes_frames_and_the_command(tmp_path: Path) -> None:
    (mutant,) = (each for each in NET_FRONT_MUTANTS if each.case == "NF08")
    place = kept(failed(mutant), "net-frontend", tmp_path)
    first, second, *_ = (place / "again.txt").read_text().splitlines()
    assert first == "xentool conformance net-frontend --case NF08 --seed 5"
    assert second.startswith("fail: IPv4, flags 3: wrong-data")
    # Two rings, of which one has gone on by eight packets of two slots and an extra, and by a first frame.
    pages = sorted(path.name for path in (place / "pages").iterdir())
    assert len(pages) == 2
    assert all(name.partition("-")[2].startswith("mapped-") for name in pages)
    assert all((place / "pages" / name).stat().st_size == 4096 for name in pages)
    assert f"rsp_prod {8 * 3 + 1} " in (place / "pages.txt").read_text()
    nodes = (place / "store.txt").read_text()
    for words in ("/state = 4", "/feature-gso-tcpv6 = 1", "/tx-ring-ref = ", "/state = 6"):
        assert words in nodes
    with (place / "frames.pcapng").open("rb") as file:
        frames = list(read(file))
    assert [frame.direction.name for frame in frames[:2]] == ["INBOUND", "OUTBOUND"]


def test_a_disk_leaves_no_frames(tmp_path: Path) -> None:
    (mutant,) = (each for each in MUTANTS if each.case == "BB21")
    place = kept(failed(mutant), "block-backend", tmp_path)
    assert sorted(path.name for path in place.iterdir()) == ["again.txt", "pages", "pages.txt", "store.txt"]
    assert "granted" in (place / "pages.txt").read_text()


def test_what_passed_leaves_nothing(tmp_path: Path) -> None:
    subject = net_frontend()
    (result,) = run(subject, registry.chosen(subject.device, subject.role, ("NF11",)), PLAN)
    assert (result.verdict, result.evidence) == (Verdict.PASS, None)
    assert keep([Judged("net-frontend", "1", [result])], tmp_path / "none", NOW) == []
    assert not (tmp_path / "none").exists()
