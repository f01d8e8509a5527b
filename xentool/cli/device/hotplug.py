"""``xentool device attach`` and ``detach``."""

import shlex
from contextlib import closing

import click

from xentool import hosts, output
from xentool.cli.common import completing, options
from xentool.cli.common.numbers import Number
from xentool.tools import xl
from xentool.tools.devices import hotplug

_kind = click.argument("kind", type=click.Choice(list(hotplug.KINDS)))
_timeout = click.option(
    "--timeout",
    type=Number(0),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="How long the ends may take.",
)


@click.command()
@click.argument("domain", shell_complete=completing.domains)
@_kind
@click.argument("spec", nargs=-1)
@_timeout
@options.dry_run
@options.where_alone
def attach(domain: str, kind: str, spec: tuple[str, ...], timeout: float, dry_run: bool, where: str | None) -> None:
    """Plug a disk or a network interface into DOMAIN, and wait until both ends are connected.

    SPEC is xl's: for block as in xl-disk-configuration(5), format=raw,vdev=xvdb,access=rw,target=/disk.img; for net as
    in xl-network-configuration(5), bridge=xenbr0, or nothing. The backend is the kernel's, or QEMU; what a process of
    ours is to serve is plugged in by that process: `xentool block serve`, `xentool net serve`.
    """
    if kind == "net" and any(word.startswith("port=") for each in spec for word in each.split(",")):
        served = shlex.join(["xentool", "net", "serve", "--vif", ",".join([f"domain={domain}", *spec])])
        raise click.UsageError(f"xl knows no ports; a process serves them: {served}")
    if kind == "block" and not spec:
        raise click.UsageError("a block device needs a SPEC: format=raw,vdev=xvdb,access=rw,target=PATH")
    with closing(hosts.resolve(where)) as host:
        found = xl.find_domain(host, domain)
        if dry_run:
            output.line(shlex.join(hotplug.command("attach", found, kind, spec)))
            return
        device = hotplug.attach(host, found, kind, spec, timeout)
        output.line(f"{device.name} of {xl.called(found)} is connected")


@click.command()
@click.argument("domain", shell_complete=completing.domains)
@click.argument("words", nargs=-1, required=True, metavar="[block|net] DEVICE")
@_timeout
@options.dry_run
@options.where_alone
def detach(domain: str, words: tuple[str, ...], timeout: float, dry_run: bool, where: str | None) -> None:
    """Plug DEVICE (xvdb, vif1, a number, a MAC address) out of DOMAIN, and wait until both ends are gone.

    Of a number alone it has to be said whether it is a disk's (block) or an interface's (net).
    """
    kind, device = kind_and_device(words)
    with closing(hosts.resolve(where)) as host:
        found = xl.find_domain(host, domain)
        plugged = hotplug.find(host, found, kind, device)
        if dry_run:
            output.line(shlex.join(hotplug.detaching(found, kind, plugged)))
            return
        hotplug.detach(host, found, kind, plugged, timeout)
        output.line(f"{plugged.name} of {xl.called(found)} is gone")


def kind_and_device(words: tuple[str, ...]) -> tuple[str, str]:
    """Find what kind of device is meant, and which.

    :raises click.UsageError: it may be either kind, or these are no words for one
    """
    match words:
        case (kind, device) if kind in hotplug.KINDS:
            return kind, device
        case (device,) if not device.isdigit() and device not in hotplug.KINDS:
            return "net" if device.startswith("vif") or ":" in device else "block", device
    raise click.UsageError("say which device: xvdb, vif1, `block 51728`, `net 0` or `net 00:16:3e:00:00:01`")
