"""Talks to a lab's QEMU over its own control protocol, QMP.

Ref: qemu/docs/interop/qemu-qmp-ref
"""

import asyncio
import os
import shlex
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from xentool import extras
from xentool.errors import Unavailable, XentoolError
from xentool.lab.qemu import MONITOR

if TYPE_CHECKING:
    from qemu.qmp import QMPClient

Result = TypeVar("Result")

_TIMEOUT_S = 3.0
#: For a state to be written whole, which takes two seconds, or read.
_STATE_S = 600.0
_LOOK_S = 0.05
_OVER = ("completed", "failed", "cancelled")
#: As fast as the disk takes it; QEMU keeps networks from being flooded.
_BYTES_PER_S = 1 << 36


def run_state(run: Path) -> str | None:
    """Return QEMU's state of the machine, such as ``running`` or ``io-error``; None when QEMU does not answer."""
    answer = _one(run, "query-status")
    return str(answer["status"]) if isinstance(answer, dict) else None


def quit_machine(run: Path) -> None:
    """Ask QEMU to end at once."""
    _one(run, "quit")


def save(run: Path, state: Path, meanwhile: Callable[[], object]) -> None:
    """Have QEMU write memory and devices, as it migrates them; the machine stands still until all is there.

    :param meanwhile: is done while it stands still, and what it has written to its disks is in their files
    :raises XentoolError: QEMU cannot
    """

    async def saved(client: "QMPClient") -> None:
        await client.execute("stop")
        try:
            await client.execute("migrate-set-parameters", {"max-bandwidth": _BYTES_PER_S})
            await client.execute("migrate", {"uri": f"exec:cat >{shlex.quote(str(state))}"})
            while (told := await _told(client, "query-migrate"))["status"] not in _OVER:
                await asyncio.sleep(_LOOK_S)
            if told["status"] != "completed":
                raise XentoolError(f"QEMU wrote no state: {told.get('error-desc', told['status'])}")
            meanwhile()
        finally:
            await client.execute("cont")

    _talk(run, saved, _STATE_S)


def resume(run: Path) -> None:
    """Have a machine go on once QEMU has read what was saved of it.

    :raises XentoolError: QEMU has ended meanwhile, or does not read it
    """

    async def resumed(client: "QMPClient") -> None:
        while (await _told(client, "query-status"))["status"] == "inmigrate":
            await asyncio.sleep(_LOOK_S)
        await client.execute("cont")

    _talk(run, resumed, _STATE_S)


async def _told(client: "QMPClient", command: str) -> dict[str, object]:
    answer = await client.execute(command)
    assert isinstance(answer, dict)  # noqa: S101 - of what is asked here
    return answer


def _one(run: Path, command: str) -> object:
    try:
        return _talk(run, lambda client: client.execute(command), _TIMEOUT_S)
    except Unavailable:
        raise
    except XentoolError:
        return None


def _talk(run: Path, what: Callable[["QMPClient"], Awaitable[Result]], seconds: float) -> Result:
    """Do something with QEMU.

    :raises XentoolError: it does not answer, or refuses
    """
    try:
        from qemu.qmp import QMPClient, QMPError  # noqa: PLC0415 - an extra that only labs need
    except ImportError:
        raise Unavailable(extras.missing("qemu.qmp", "a lab")) from None

    async def talk(address: str) -> Result:
        client = QMPClient("xentool")
        await client.connect(address)
        try:
            return await what(client)
        finally:
            await client.disconnect()

    # A socket's address holds 108 bytes, fewer than a run folder's path may have.
    try:
        folder = os.open(run, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        raise XentoolError(f"QEMU: there is no {run}") from None
    try:
        return asyncio.run(asyncio.wait_for(talk(f"/proc/self/fd/{folder}/{MONITOR}"), seconds))
    except (QMPError, OSError, EOFError, TimeoutError) as error:
        # EOFError: told to quit, it may hang up before we do.
        raise XentoolError(f"QEMU: {error}" if str(error) else "QEMU does not answer") from error
    finally:
        os.close(folder)
