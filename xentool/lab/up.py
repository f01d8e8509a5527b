"""Starts a lab: image, keys, seed, QEMU, and the wait for its host; undone whole if anything fails or interrupts."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from traces.plural import plural
from xentool.errors import Unavailable, XentoolError
from xentool.hosts import waiting
from xentool.lab import (
    accel,
    console,
    hypervisors,
    image,
    initramfs,
    leftovers,
    locks,
    monitor,
    process,
    qemu,
    record,
    releases,
    seed,
    sshkeys,
    status,
)
from xentool.lab.hypervisors import Hypervisor
from xentool.lab.image import Image
from xentool.lab.places import run_folder
from xentool.lab.progress import SILENT, Progress
from xentool.lab.record import Lab

#: How often a lab may be at its limit of silence and say something after all: a kernel that tells for ever that it is
#: stuck has not started.
_SILENCES = 10
_PORT_TRIES = 5
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
    progress: Progress = SILENT,
) -> Lab:
    """Start a lab, building its image first when that is missing, and return when its host answers.

    A lab of that name that is up already is returned as it is.

    :param hypervisor: one of ``hypervisors.HYPERVISORS``
    :param xen: the version of Xen, and with it Debian's; a lab of KVM boots that Debian's kernel
    :param store: which of ``releases.STORES`` is its XenStore
    :raises XentoolError: it did not start; the message ends with the console's last lines where they help
    :raises Unavailable: this machine lacks something that is needed
    """
    run, under = run_folder(name), hypervisors.HYPERVISORS[hypervisor]
    if shutil.which("qemu-system-x86_64") is None:
        raise Unavailable("qemu-system-x86_64 is not installed; it is in Debian's package qemu-system-x86")
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
            lab = _start(name, built, under, memory_mib, vcpus, store, progress)
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


def _start(
    name: str, built: Image, under: Hypervisor, memory_mib: int, vcpus: int, store: str, progress: Progress
) -> Lab:
    run = run_folder(name)
    free_mib = shutil.disk_usage(run).free >> 20
    if free_mib < _NEEDED_MIB:
        raise XentoolError(f"{run} has {free_mib} MiB free, a lab needs {_NEEDED_MIB}; free some or set XENTOOL_CACHE")
    keys = sshkeys.make(run)
    (run / qemu.INITRD).write_bytes(initramfs.make(built.folder, "root", "dom0.init"))
    chosen = accel.choose()
    own = seed.identity(name, keys, under, store, qemu.cpus_for_hvm(chosen, vcpus))
    (run / qemu.SEED).write_bytes(seed.pack({**seed.software(built, progress), **own}))
    what = releases.running(under, built.release.xen)
    progress.step(f"starting {what} in QEMU ({chosen}, {plural(vcpus, 'CPU')}, {memory_mib} MiB)")
    port = _launch(name, built, under, chosen, memory_mib, vcpus)
    known_hosts = run / "known_hosts"
    known_hosts.write_bytes(b"[127.0.0.1]:%d %s" % (port, keys.host_public))
    lab = Lab(
        name=name,
        xen=built.release.xen,
        image=str(built.folder),
        accel=chosen,
        memory_mib=memory_mib,
        vcpus=vcpus,
        ssh_port=port,
        ssh_key=str(run / "key"),
        known_hosts=str(known_hosts),
        qemu_pid=process.find(run) or 0,
        started=time.time(),
        state=record.STARTING,
        hypervisor=under.name,
    )
    record.write(lab)
    _await(lab, progress)
    lab = lab.now_up()
    record.write(lab)
    return lab


def _launch(name: str, built: Image, under: Hypervisor, chosen: str, memory_mib: int, vcpus: int) -> int:
    run = run_folder(name)
    # Emptied rather than removed, so that somebody who follows it goes on seeing this start.
    (run / qemu.CONSOLE).write_bytes(b"")
    for _ in range(_PORT_TRIES):
        port = free_port()
        machine = qemu.Machine(name, run, built.folder, chosen, memory_mib, vcpus, port, under)
        ended = subprocess.run(
            qemu.command(machine),
            cwd=run,
            env={**os.environ, "TMPDIR": str(run)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
            start_new_session=True,  # Ctrl-C is for this program, which then ends QEMU in order
        )
        if ended.returncode == 0:
            return port
        reason = ended.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        # Somebody took the port between the look and QEMU's use of it.
        if "host forwarding" not in reason[-1]:
            break
    raise XentoolError(f"QEMU did not start lab {name}: {reason[-1].removeprefix('qemu-system-x86_64: ')}")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _await(lab: Lab, progress: Progress) -> None:
    # The usual 20 s say nothing about a machine that does other work as well: what counts is whether it goes on.
    began = heard = time.monotonic()
    limit, told = waiting.limit(), 0
    # On a busy machine sshd greets late; whoever does not wait for that only makes it one connection busier.
    while not _sshd_answers(lab.ssh_port, max(1.0, (time.monotonic() - began) / 10)):
        now = status.of(lab)
        if now.state != record.STARTING:
            raise XentoolError(f"lab {lab.name} did not start: {status.explain(now)}")
        text = status.read_console(lab)
        at = time.monotonic()
        if len(text) != told:
            heard, told = at, len(text)
        if at - heard > limit or at - began > _SILENCES * limit:
            raise XentoolError(
                f"lab {lab.name} did not start in {at - began:.0f} s, and its console said nothing for the last "
                f"{at - heard:.0f} s (QEMU: {monitor.run_state(lab.run)}); the console's end:\n{console.ending(text)}"
            )
        progress.detail(console.stage(text, lab.under))
        time.sleep(0.2)
    host = lab.host()
    try:
        host.run(lab.under.ready)
    finally:
        host.close()


def _sshd_answers(port: int, seconds: float) -> bool:
    # QEMU takes connections before dom0 does: only sshd's greeting counts.
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


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
