"""Another network namespace: what is opened there stays there, whoever has it."""

import ctypes
import os
import threading
from collections.abc import Callable
from errno import ENOENT, EPERM
from pathlib import Path
from typing import TypeVar

from pvdrivers.errors import MachineError

#: Where `ip netns` has its own.
_NAMED = Path("/run/netns")
# linux/sched.h
_CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)

_Result = TypeVar("_Result")


def inside(namespace: str, work: Callable[[], _Result]) -> _Result:
    """Do something in a network namespace, in a thread that ends with it: no other thread's namespace changes.

    :param namespace: as `ip netns` calls it, or the path of one: ``/proc/PID/ns/net``; "" is where this thread is
    :raises MachineError: there is no such namespace, or no right to it
    :raises BaseException: as ``work`` does
    """
    if not namespace:
        return work()
    path = Path(namespace) if "/" in namespace else _NAMED / namespace
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            _enter(path)
            results.append(work())
        except BaseException as error:  # noqa: BLE001 - raised where it was asked for
            errors.append(error)

    thread = threading.Thread(target=run, name="netns")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _enter(path: Path) -> None:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _libc.setns(file, _CLONE_NEWNET):
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error))
        finally:
            os.close(file)
    except OSError as error:
        why = error.strerror
        if error.errno == ENOENT and path.parent == _NAMED:
            why = f"there is none (`ip netns add {path.name}` makes it)"
        elif error.errno == EPERM:
            why = "only root may (CAP_SYS_ADMIN)"
        raise MachineError(f"cannot enter the network namespace {path}: {why}") from error
