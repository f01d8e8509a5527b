"""Who may use an image beside whom: ours, and QEMU's programs."""

import os
import signal
import subprocess
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from pvdrivers.block.disks import use_disk
from pvdrivers.block.disks.uses import Use
from pvdrivers.block.errors import InUse, NoDisk
from tests.pvdrivers.bus.joined import until


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(bytes(1 << 16))
    return path


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [("w", "w", False), ("w", "r", True), ("r", "w", True), ("r", "r", True), ("w", "w!", True), ("w!", "w", False),
     ("w!", "w!", True)],
)  # fmt: skip
def test_two_users(image: Path, first: str, second: str, together: bool) -> None:
    def use(mode: str) -> Use:
        return Use(image, readonly=mode[0] == "r", shared=mode.endswith("!"))

    with ExitStack() as stack:
        stack.enter_context(closing(use(first)))
        if together:
            stack.enter_context(closing(use(second)))
        else:
            with pytest.raises(InUse, match=f"^{image} is in use already, here or by another program$"):
                use(second)
    use(second).close()


def test_another_name_is_the_same_image(image: Path) -> None:
    other = image.with_name("other")
    other.hardlink_to(image)
    with closing(Use(image)), pytest.raises(InUse, match=str(other)):
        Use(other)


def test_qemus_programs_and_ours_keep_from_one_another(image: Path) -> None:
    write = ["qemu-io", "-f", "raw", "-c", "write 0 512", str(image)]
    with closing(Use(image)):
        done = subprocess.run(write, capture_output=True, text=True, check=False)
        assert (done.returncode, 'Failed to get "write" lock' in done.stderr) == (1, True)
    pid = image.with_name("pid")
    serve = ["qemu-nbd", "--fork", "--persistent", "--format=raw", f"--pid-file={pid}"]
    subprocess.run([*serve, f"--socket={image.with_name('socket')}", str(image)], check=True)
    with pytest.raises(InUse):
        Use(image)
    os.kill(int(pid.read_text()), signal.SIGKILL)
    until(lambda: _usable(image))


def _usable(image: Path) -> bool:
    with suppress(InUse):
        Use(image).close()
        return True
    return False


def test_disks_by_qemu_nbd_are_of_one_server(image: Path) -> None:
    spec = f"qcow2:{image}"
    first = use_disk(spec)
    assert first
    with closing(first):
        for other, readonly in ((spec, False), (spec, True), (f"raw:{image}", False)):
            with pytest.raises(InUse):
                use_disk(other, readonly=readonly)
    readers = [use_disk(spec, readonly=True) for _ in range(2)]
    with pytest.raises(InUse):
        use_disk(spec)
    for reader in readers:
        assert reader
        reader.close()
    raw = Use(image)
    with pytest.raises(InUse):
        use_disk(spec)
    raw.close()


def test_what_nobody_else_can_use(image: Path) -> None:
    assert use_disk("mem:1M") is use_disk("null") is None
    with pytest.raises(NoDisk, match=r"cannot open .*none: No such file"):
        use_disk(str(image.with_name("none")))
