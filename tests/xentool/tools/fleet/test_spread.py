"""Work spread over workers: each item has an answer or a reason, whatever becomes of workers and scheduler."""

import os
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import distributed
import pytest

from tests.xentool.tools.fleet import works
from xentool.errors import Unavailable, XentoolError
from xentool.tools.fleet import spread
from xentool.tools.fleet.engine import Engine, engine
from xentool.tools.fleet.spread import Done, Failure, Spread


def test_each_item_has_its_answer_and_few_are_under_way(shared: Engine) -> None:
    asked = 0

    def items() -> Iterator[int]:
        nonlocal asked
        for number in range(60):
            asked += 1
            yield number

    answers = {}
    for came, done in enumerate(Spread(shared, works.doubled, items()), 1):
        assert asked - came <= 2 * shared.workers
        answers[done.item] = done.answer
    assert answers == {number: 2 * number for number in range(60)}


def test_small_items_share_a_task_and_large_ones_have_one_each(shared: Engine) -> None:
    weights = [0.5, 0.5, 0.25, 0.5, 0.5, 3.0, 0.1, 0.1]
    done = {one.item: one.answer for one in Spread(shared, works.named, range(8), weigh=lambda item: weights[item])}
    tasks = list(dict.fromkeys(done[number] for number in range(8)))
    assert [[number for number in range(8) if done[number] == task] for task in tasks] == [
        [0, 1],
        [2, 3],
        [4],
        [5],
        [6, 7],
    ]


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_who_dies_or_fails_spoils_no_other(tmp_path: Path, weight: float) -> None:
    well = [f"well {number}" for number in range(12)]
    with engine(None, 2) as made:
        done: dict[str, str | Failure] = {}
        items = [*well[:6], "killed", "fail", f"killed once:{tmp_path / 'was'}", *well[6:]]
        for one in Spread(made, works.troubled, items, weigh=lambda _: weight):
            done[one.item] = one.answer
        pids = {one.answer for one in Spread(made, works.process, range(6))}
        workers = [os.pidfd_open(pid) for pid in pids if isinstance(pid, int)]
    assert {name: done[name] for name in well} == {name: f"{name} done" for name in well}
    assert done["killed"] == Failure("its worker died each time it was tried")
    assert done["fail"] == Failure("it is broken")
    assert done[f"killed once:{tmp_path / 'was'}"] == "killed once done"
    assert workers
    for worker in workers:
        # Becomes readable when the process ends, as all of them do.
        assert select.select([worker], [], [])[0] == [worker]
        os.close(worker)


def test_workers_do_not_hear_of_ctrl_c(shared: Engine) -> None:
    pids = {one.answer for one in Spread(shared, works.process, range(20))}
    for pid in pids:
        assert isinstance(pid, int)
        ignored = Path(f"/proc/{pid}/status").read_text().split("SigBlk:")[1].split()[0]
        assert int(ignored, 16) & 1 << signal.SIGINT - 1
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_all_listen_on_this_machine_alone(shared: Engine) -> None:
    pids = {one.answer for one in Spread(shared, works.process, range(20))}
    links = [link for pid in (*pids, os.getpid()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    sockets = {str(link.readlink()).removeprefix("socket:[").removesuffix("]") for link in links}
    listening = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[9] in sockets
    ]
    assert len(listening) >= 3
    assert {row[1].partition(":")[0] for row in listening} == {"0100007F"}


def test_what_is_left_when_the_scheduler_goes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "_LOOK_S", 0.05)
    local: Any = distributed.LocalCluster  # whose types are not all told
    with local(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None
    ) as cluster:

        def items() -> Iterator[int]:
            yield 1
            yield 2
            yield 3
            cluster.close()
            yield from range(4, 10)

        with engine(cluster.scheduler_address, None) as made:
            found: list[Done[int, int]] = list(Spread(made, works.doubled, items(), limit_s=0.05))
    assert sorted(one.item for one in found) == list(range(1, 10))
    told = [one.answer for one in found if one.item > 3]
    assert all(isinstance(answer, Failure) for answer in told)
    assert found[0].answer == 2


def test_where_no_scheduler_is_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xentool.tools.fleet.engine.ANSWER_S", 0.2)
    with (
        pytest.raises(Unavailable, match="no scheduler answers at tcp://127"),
        engine("tcp://127.0.0.1:1", None),
    ):
        pass


def test_tls_without_certificates_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(XentoolError, match=r"distributed\.comm\.tls\.ca-file"), engine("tls://127.0.0.1:1", None):
        pass


def test_a_scheduler_is_reached_by_tls(tmp_path: Path) -> None:
    names = certificates(tmp_path)
    ends = {
        f"distributed.comm.tls.{end}.{what}": names[what]
        for end in ("scheduler", "worker", "client")
        for what in ("cert", "key")
    }
    dasks: Any = distributed  # whose types are not all told
    with (
        dask.config.set({"distributed.comm.tls.ca-file": names["cert"], **ends}),
        dasks.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            protocol="tls://",
            host="127.0.0.1",
            dashboard_address=None,
            security=dasks.Security(),
        ) as cluster,
        engine(cluster.scheduler_address, None) as made,
    ):
        assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
        assert {one.answer for one in Spread(made, works.doubled, range(3))} == {0, 2, 4}


def certificates(folder: Path) -> dict[str, str]:
    """Make a certificate that is its own authority, and its key."""
    cert, key = (str(folder / name) for name in ("cert.pem", "key.pem"))
    words = [
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=127.0.0.1",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run(["openssl", "req", *words, "-keyout", key, "-out", cert], check=True, stderr=subprocess.DEVNULL)
    return {"cert": cert, "key": key}
