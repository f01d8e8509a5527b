"""Starts a lab: image, keys, seed, QEMU, and the wait for its host; undone whole if anything fails or interrupts."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from xentool import extras
from xentool.errors import Unavailable, XentoolError
from xentool.lab import (
    accel,
    hypervisors,
    image,
    leftovers,
    locks,
    payload,
    qemu,
    record,
    releases,
    snapshot,
    start,
    status,
)
from xentool.lab.hypervisors import Hypervisor
from xentool.lab.places import run_folder
from xentool.lab.progress import SILENT, Progress
from xentool.lab.record import Lab
from xentool.lab.start import Plan

# Room for what dom0 writes while it starts, and for traces.
_NEEDED_MIB = 512


def up(
    name: str = status.DEFAULT_NAME,
    *,
    hypervisor: str = hypervisors.XEN.name,
    xen: str = releases.DEFAULT_XEN,
    memory_mib: int = 3072,
    vcpus: int = 2,
    store: str = releases.STORES[0],
    anew: bool = False,
    progress: Progress = SILENT,
) -> Lab:
    """Start a lab, building its image first when that is missing, and return when its host answers.

    A lab of that name that is up already is returned as it is.

    :param hypervisor: one of ``hypervisors.HYPERVISORS``
    :param xen: the version of Xen, and with it Debian's; a lab of KVM boots that Debian's kernel
    :param store: which of ``releases.STORES`` is its XenStore
    :param anew: it boots, and no snapshot is used or made
    :raises XentoolError: it did not start; the message ends with the console's last lines where they help
    :raises Unavailable: this machine lacks something that is needed
    """
    run, under = run_folder(name), hypervisors.HYPERVISORS[hypervisor]
    if shutil.which(qemu.PROGRAM) is None:
        raise Unavailable(f"{qemu.PROGRAM} is not installed; it is in Debian's package qemu-system-x86")
    for module in releases.LIBRARIES[xen]:
        if not extras.is_there(module):
            raise Unavailable(extras.missing(module, "a lab"))
    # Before minutes go into an image that nobody needs.
    if lab := _there(name, under, xen):
        return lab
    built = image.ensure(releases.RELEASES[xen], progress)
    run.mkdir(exist_ok=True)
    with locks.hold(run / "lock", f"another xentool starts or ends lab {name} right now; wait for it"), _signals():
        if lab := _there(name, under, xen):
            return lab
        leftovers.clear(name)
        try:
            files = payload.collect(built.python, progress)
            plan = Plan(name, built, under, accel.choose(), memory_mib, vcpus, store, files)
            lab = _start(plan, anew, progress).now_up()
            record.write(lab)
        except BaseException:
            leftovers.clear(name)
            raise
    return lab


def _there(name: str, under: Hypervisor, xen: str) -> Lab | None:
    lab = record.read(name)
    if lab is None or status.of(lab).state != record.UP:
        return None
    if (lab.under, lab.xen) != (under, xen):
        raise XentoolError(
            f"lab {name} runs {lab.runs} already: end it with `xentool lab down{status.option(name)}`, "
            f"or give the new one another --name"
        )
    return lab


def _start(plan: Plan, anew: bool, progress: Progress) -> Lab:
    free_mib = shutil.disk_usage(plan.run).free >> 20
    if free_mib < _NEEDED_MIB:
        raise XentoolError(
            f"{plan.run} has {free_mib} MiB free, a lab needs {_NEEDED_MIB}; free some or set XENTOOL_CACHE"
        )
    system, initrd = plan.system(), start.initrd(plan.image)
    # With KVM a boot takes no longer than that; a snapshot of that machine, or of a lab of KVM, was not tried.
    if anew or plan.accel != "tcg" or plan.under is not hypervisors.XEN:
        return start.boot(plan, system, initrd, progress)
    key = snapshot.key(plan.image, plan.machine(0), {**system, qemu.INITRD: initrd})
    if saved := snapshot.find(key):
        try:
            return start.restore(plan, saved, progress)
        except XentoolError as error:
            leftovers.clear(plan.name)
            saved.discard()
            progress.step(f"its snapshot is of no use ({error})")
    try:
        snapshot.overlay(plan.image, plan.run)
    except XentoolError as error:
        progress.step(f"no snapshot will be kept ({error})")
        return start.boot(plan, system, initrd, progress)
    lab = start.boot(plan, system, initrd, progress, kept=True)
    progress.step("saving a snapshot of it for labs to come")
    try:
        snapshot.save(lab, key, snapshot.digest(plan.payload))
    except XentoolError as error:
        progress.step(f"no snapshot is kept ({error})")
    start.wake(lab)
    return lab


@contextmanager
def _signals() -> Iterator[None]:
    # A closed terminal or a kill must undo a half start as Ctrl-C does. Only the main thread may set handlers.
    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    try:
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    except ValueError:
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
