"""``xentool block serve`` and ``bench`` on a loopback, as users call them."""

import json
import os
import re
import signal
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pvdrivers.abi.blkif import BlkifOp
from pvdrivers.block.errors import RequestFailed
from pvdrivers.block.front import frontend
from pvdrivers.errors import MachineError
from pvdrivers.transport.loopback import Loopback
from tests.pvdrivers.block.slow_files import SOURCE
from tests.pvdrivers.bus.joined import until
from tests.xentool.cli.measuring import ended
from tests.xentool.cli.running import run
from tests.xentool.cli.serving import serving
from xentool.tools.transports import loopbacks

KEYS = {"iops", "mbps", "latency_us", "notifications_per_request", "syscalls_per_request"}
FRONT = "/local/domain/1/device/vbd/"


def test_bench_with_a_backend_of_its_own() -> None:
    done = run("block", "bench", "--op", "randwrite", "--bs", "8k", "--depth", "4", "--seconds", "0.3", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert set(result) >= KEYS
    assert set(result["latency_us"]) == {"p50", "p99", "p999"}
    # Both are rounded.
    assert result["mbps"] == pytest.approx(result["iops"] * 8192 / 1e6, rel=0, abs=0.05 + 0.5 * 8192 / 1e6)
    assert 0 < result["latency_us"]["p50"] <= result["latency_us"]["p99"] <= result["latency_us"]["p999"]
    assert result["errors"] == 0


def test_bench_for_people() -> None:
    done = run("block", "bench", "--loopback", "--op", "read", "--disk", "null", "--seconds", "0.2", "--no-persistent")
    assert (done.returncode, done.stderr) == (0, "")
    made, took, asked = done.stdout.splitlines()
    assert re.fullmatch(r"read, 4096 B, 32 at once: [\d,]+/s, \d+\.\d+ MB/s, \d+\.\d+ µs", made)
    assert re.fullmatch(r"latency in µs: median \S+, 99 % \S+, 99\.9 % \S+, at most \S+", took)
    assert re.fullmatch(r"a request: \S+ notifications, \S+ system calls", asked)


def test_a_bench_that_is_repeated() -> None:
    words = ("block", "bench", "--op", "read", "--disk", "null", "--seconds", "0.1", "--repeat", "2")
    made, *_ = run(*words).stdout.splitlines()
    assert re.fullmatch(r"read, 4096 B, 32 at once: [\d,]+ ±[\d,.]+/s, \d+\.\d+ MB/s, \d+\.\d+ ±[\d,.]+ µs", made)
    told = json.loads(run(*words, "--json").stdout)
    assert [set(each) == set(told) - {"repeats"} for each in told["repeats"]] == [True, True]
    assert told["iops"] == min(each["iops"] for each in told["repeats"])


def test_disks_are_served_until_told_to_end(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    place = tmp_path / "loop"
    disks = ["--disk", str(image), "--disk", "mem:2M,vdev=xvdf,sector-size=4096", "--disk", f"{image},mode=r,domain=7"]
    disks += ["--disk", "mem:1M,vdev=xvdg,front=user"]
    with serving(place, *disks, "--json") as served:
        assert served.said == "xentool: serving xvda of domain 1, xvdf of domain 1, xvdg of domain 1, xvda of domain 7"
        with Loopback(place, 1) as guest:
            with frontend.disk(guest, f"{FRONT}51712") as disk:
                disk.write(512, b"x" * 512)
                disk.flush()
            with frontend.disk(guest, f"{FRONT}51792") as disk:
                assert disk.geometry.sector_size == 4096
            with frontend.disk(guest, "/local/domain/1/device/uvbd/51808") as disk:
                disk.write(0, b"y" * 1024)
                assert disk.read(512, 1024) == b"y" * 512 + bytes(512)
        with Loopback(place, 7) as guest, frontend.disk(guest, "/local/domain/7/device/vbd/51712") as disk:
            assert disk.geometry.readonly
            assert disk.read(0, 2048) == bytes(512) + b"x" * 512 + bytes(1024)
        done = run("block", "bench", "--loopback", str(place), "--seconds", "0.2", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert served.end() == 0
    by_disk = {(row["domid"], row["device"]): row for row in served.rows}
    assert set(by_disk) == {(1, "xvda"), (1, "xvdf"), (1, "xvdg"), (7, "xvda")}
    assert by_disk[1, "xvda"]["writes"] == 1
    assert by_disk[1, "xvda"]["flushes"] == 1
    assert by_disk[1, "xvda"]["reads"] == json.loads(done.stdout)["requests"]
    assert by_disk[7, "xvda"]["sectors_read"] == 4
    assert image.read_bytes()[512:1024] == b"x" * 512
    assert list(place.iterdir()) == []


def test_a_disk_that_another_program_uses_is_not_taken_from_it(tmp_path: Path) -> None:
    place = tmp_path / "loop"
    words = ["block", "bench", "--loopback", str(place), "--seconds", "0.2"]
    with serving(place, "--disk", "mem:1M", "--disk", "mem:1M,vdev=xvdb"):
        with Loopback(place, 1) as guest, loopbacks.joining(place, f"{FRONT}51712"):
            with frontend.disk(guest, f"{FRONT}51712") as disk:
                done = run(*words)
                assert (done.returncode, done.stdout) == (1, "")
                assert done.stderr == f"xentool: another program uses {FRONT}51712 of the loopback in {place}\n"
                disk.write(0, b"x" * 512)
                assert disk.read(0, 512) == b"x" * 512
            assert run(*words, "--device", "xvdb").returncode == 0
        assert run(*words).returncode == 0


def test_a_frontend_that_is_connected_is_parted_from(tmp_path: Path) -> None:
    place = tmp_path / "loop"
    with (
        serving(place, "--disk", "mem:1M", "--json", "--interval", "0.2") as served,
        Loopback(place, 1) as guest,
        frontend.disk(guest, f"{FRONT}51712") as disk,
    ):
        disk.write(0, b"x" * 4096)
        assert served.end(signal.SIGINT) == 130
    assert served.rows[-1]["writes"] == 1


def test_who_uses_a_disk_learns_that_its_server_was_killed_and_goes_on_with_the_next(tmp_path: Path) -> None:
    place, image = tmp_path / "loop", tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    words = ("--disk", f"raw:{image}")
    with ExitStack() as stack:
        with serving(place, *words) as first:
            guest = stack.enter_context(Loopback(place, 1))
            disk = stack.enter_context(frontend.disk(guest, f"{FRONT}51712"))
            disk.write(0, b"x" * 4096)
            first.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, first.process.pid, os.WSTOPPED)
            under_way = [disk.start(BlkifOp.WRITE, at * 4096, 4096, bytes(4096)) for at in range(200)]
            first.process.kill()
            for each in under_way:
                with pytest.raises(MachineError, match=r"the loopback in .* is gone"):
                    each.result(600)
        with pytest.raises(MachineError, match="is gone"):
            disk.start(BlkifOp.READ, 0, 4096, bytearray(4096))
        with serving(place, *words) as second:
            written = False
            while not written:
                with suppress(MachineError):
                    disk.write(4096, b"y" * 4096)
                    written = True
            assert disk.read(8192, 512) == bytes(512)
            second.process.kill()
            second.process.wait()
    assert image.read_bytes()[4096:8192] == b"y" * 4096


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_measurement_ends_with_its_server(tmp_path: Path, end: signal.Signals) -> None:
    assert ended(tmp_path / "loop", end, "block", "--disk", "mem:1M") == ""


def test_an_image_has_one_writer_unless_more_are_asked_for(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(1 << 20))
    refused = f"xentool: {image} is in use already, here or by another program; mode=w! serves it all the same\n"
    twice = ("--disk", str(image), "--disk", f"{image},vdev=xvdb,domain=7")
    done = run("block", "serve", "--loopback", str(tmp_path / "one"), *twice)
    assert (done.returncode, done.stderr) == (1, refused)
    with serving(tmp_path / "one", "--disk", str(image)) as first:
        done = run("block", "serve", "--loopback", str(tmp_path / "two"), "--disk", str(image))
        assert (done.returncode, done.stderr) == (1, refused)
        with serving(tmp_path / "two", "--disk", f"{image},mode=w!") as second:
            assert second.said == "xentool: serving xvda of domain 1"
            assert second.end() == 0
        first.process.kill()
    with serving(tmp_path / "one", *(f"{word},mode=r" if str(image) in word else word for word in twice)) as readers:
        assert readers.said == "xentool: serving xvda of domain 1, xvdb of domain 7"
        assert readers.end() == 0


def test_the_end_comes_even_while_a_disk_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library, image = tmp_path / "slow_file.so", tmp_path / "image"
    subprocess.run(["gcc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, SOURCE], check=True)
    image.write_bytes(bytes(1 << 20))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("SLOW_FILE_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("SLOW_FILE_NS", str(10**13))
    with (
        serving(tmp_path / "loop", "--disk", str(image), "--no-persistent") as served,
        Loopback(tmp_path / "loop", 1) as guest,
        frontend.disk(guest, f"{FRONT}51712") as disk,
    ):
        under_way = [disk.start(BlkifOp.WRITE, at * 4096, 4096, bytes(4096)) for at in range(4)]
        until(lambda: (tmp_path / "log").stat().st_size)
        assert served.end() == 1
        for each in under_way:
            with pytest.raises(MachineError, match="is gone"):
                each.result(600)
    assert served.stderr.endswith("xentool: xvda of domain 1: what was asked hangs, and is left undone\n")


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_qemu_nbd_that_is_no_more(tmp_path: Path, number: signal.Signals) -> None:
    image = tmp_path / "image.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "8M"], check=True)
    with (
        serving(tmp_path / "loop", "--disk", str(image)) as served,
        Loopback(tmp_path / "loop", 1) as guest,
        frontend.disk(guest, f"{FRONT}51712") as disk,
    ):
        disk.write(0, bytes(4096))
        tasks = Path(f"/proc/{served.process.pid}/task").iterdir()
        (server,) = {int(word) for task in tasks for word in (task / "children").read_text().split()}
        os.kill(server, number)
        under_way = disk.start(BlkifOp.WRITE, 0, 4096, bytes(4096))
        if number == signal.SIGKILL:
            for _ in range(2):
                with pytest.raises(RequestFailed):
                    under_way.result(600)
                under_way = disk.start(BlkifOp.WRITE, 0, 4096, bytes(4096))
            error = "/local/domain/0/error/backend/udisk/1/51712/error"
            until(lambda: guest.gone or _told(tmp_path / "loop", error))
        assert served.end() == 0
    killed = f"xentool: 0/backend/udisk/1/51712: qemu-nbd of {image} has ended by SIGKILL: all requests fail\n"
    stopped = "xentool: domain 1 does not let go of xvda: it is taken away\n"
    assert served.stderr == (killed if number == signal.SIGKILL else stopped)
    until(lambda: not Path(f"/proc/{server}").exists())


def _told(place: Path, path: str) -> bool:
    with Loopback(place, 0) as dom0:
        return dom0.store.exists(path)


def test_what_cannot_be_served(tmp_path: Path) -> None:
    place = str(tmp_path / "loop")
    for words, code, said in (
        (["--disk", str(tmp_path / "none")], 1, f"cannot open {tmp_path}/none: No such file or directory"),
        (["--disk", "mem:1M,colour=red"], 1, "colour; a disk is FILE[,vdev=xvdb]"),
        (["--disk", "mem:1M,mode=x"], 1, "a mode is r or w, not 'x'"),
        (["--disk", "mem:1M,front=x"], 1, "a front is kernel or user, not 'x'"),
        (["--disk", "mem:1M,vdev=hda"], 1, "'hda' is no virtual disk such as xvda or xvdb1"),
        (["--disk", "mem:1M,vdev=xvdb", "--disk", "mem:1M,vdev=xvdb"], 1, "xvdb is taken already"),
        (["--disk", "mem:1M,domain=x"], 1, "domains of a loopback are numbers from 1 on, not 'x'"),
        (["--disk", "mem:0"], 1, "a disk's size is bytes, or with K, M, G or T"),
        ([], 2, "give a --disk to serve"),
    ):
        done = run("block", "serve", "--loopback", place, *words)
        assert done.returncode == code, (words, done.stderr)
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    done = run("block", "serve", "--domain", "domU", "--disk", "mem:1M")
    assert done.returncode == 3
    assert "this is no Xen domain" in done.stderr


def test_a_loopback_of_one_name_runs_once(tmp_path: Path) -> None:
    place = tmp_path / "loop"
    with serving(place, "--disk", "mem:1M") as first:
        done = run("block", "serve", "--loopback", str(place), "--disk", "mem:1M")
        assert (done.returncode, done.stderr) == (
            1,
            f"xentool: a loopback runs in {place} already; choose another name\n",
        )
        first.process.kill()
    # What one that was killed has left is in nobody's way.
    with serving(place, "--disk", "mem:1M") as second:
        assert second.said == "xentool: serving xvda of domain 1"
        assert second.end() == 0


def test_no_loopback_to_measure(tmp_path: Path) -> None:
    done = run("block", "bench", "--loopback", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"xentool: no domain 1 of a loopback in {tmp_path}: ")
    done = run("block", "bench", "--loopback", "../x y")
    assert done.returncode == 1
    for words in (["--bs", "x"], ["--bs", "0"], ["--front", "xvda", "--blkback", "x"]):
        assert run("block", "bench", *words).returncode == 2
    assert run("block", "bench", "--front", "xvda").returncode == 3
