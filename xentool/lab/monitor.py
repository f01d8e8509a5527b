"""Talks to a lab's QEMU over its own control protocol, QMP."""

import asyncio
import os
from pathlib import Path

from xentool.errors import Unavailable
from xentool.lab.qemu import MONITOR

_TIMEOUT_S = 3


def run_state(run: Path) -> str | None:
    """Return QEMU's state of the machine, such as ``running`` or ``io-error``; None when QEMU does not answer."""
    answer = _execute(run, "query-status")
    return str(answer["status"]) if isinstance(answer, dict) else None


def quit_machine(run: Path) -> None:
    """Ask QEMU to end at once."""
    _execute(run, "quit")


def _execute(run: Path, command: str) -> object:
    try:
        from qemu.qmp import QMPClient, QMPError  # noqa: PLC0415 - an extra that only labs need
    except ImportError:
        raise Unavailable("a lab needs qemu.qmp: pip install 'xentool[lab]'") from None

    async def talk(address: str) -> object:
        client = QMPClient("xentool")
        await client.connect(address)
        try:
            return await client.execute(command)
        finally:
            await client.disconnect()

    # A socket's address holds 108 bytes, fewer than a run folder's path may have.
    try:
        folder = os.open(run, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        return asyncio.run(asyncio.wait_for(talk(f"/proc/self/fd/{folder}/{MONITOR}"), _TIMEOUT_S))
    except (QMPError, OSError, EOFError, TimeoutError):
        return None  # EOFError: told to quit, it may hang up before we do
    finally:
        os.close(folder)
