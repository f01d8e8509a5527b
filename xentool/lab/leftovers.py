"""Puts a lab's run folder back to how it is when no lab runs; only the console file stays."""

from xentool.lab import places, process, qemu, record

_FILES = (
    qemu.PIDFILE,
    qemu.MONITOR,
    qemu.SEED,
    qemu.INITRD,
    qemu.DISK,
    "key",
    "key.pub",
    "host_key",
    "host_key.pub",
    "known_hosts",
)


def clear(name: str) -> None:
    """End a lab's QEMU by force, if it still runs, and forget the lab."""
    run = places.run_folder(name)
    process.kill(run)
    record.remove(name)
    for file in _FILES:
        (run / file).unlink(missing_ok=True)
