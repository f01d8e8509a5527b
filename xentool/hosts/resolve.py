"""From what the user said, or did not say, to a Host."""

import os
import re
from collections.abc import Mapping

from traces.meant import meant
from xentool import output
from xentool.errors import Unavailable
from xentool.hosts import adopted, labs, named
from xentool.hosts.base import Host
from xentool.hosts.forms import FORMS, LAB, HostError, is_place
from xentool.hosts.local import LocalHost, is_dom0, is_kvm_host


def resolve(text: str | None, environ: Mapping[str, str] = os.environ, *, kvm: bool = False) -> Host:
    """Find the host that is meant: --host, else $XENTOOL_HOST, else that in use, else this dom0, else a running lab.

    Nothing is connected to yet. That the host in use is taken is said: nothing in the command tells.

    :param text: the value of --host, None when it was not given
    :param kvm: this machine will do as a KVM host, too, after a running lab
    :raises HostError: the value has no known form
    :raises Unavailable: there is no such host; the message says how to get one
    """
    text = text or environ.get("XENTOOL_HOST") or None
    if text is None:
        known = named.read(environ)
        if known.used is None:
            return LocalHost() if is_dom0() else _any_lab(environ, kvm=kvm)
        output.say(f"on {known.used} ({known.hosts[known.used]}), the host in use")
        return _at(known.hosts[known.used], known.used, environ, kvm=kvm)
    if is_place(text):
        return _at(text, text, environ, kvm=kvm)
    hosts = named.read(environ).hosts
    if text in hosts:
        return _at(hosts[text], text, environ, kvm=kvm)
    near = meant(text, ["local", "lab", *(f"lab:{name}" for name in labs.running(environ)), *hosts])
    raise HostError(f"{text!r} is no host; a host is {FORMS}{near}")


def _at(place: str, name: str, environ: Mapping[str, str], *, kvm: bool) -> Host:
    # The name is how messages call a host that ssh reaches.
    if place == "local":
        if not is_dom0() and not (kvm and is_kvm_host()):
            raise Unavailable("this machine is no Xen dom0 (no control_d in /proc/xen/capabilities)")
        return LocalHost()
    if match := LAB.fullmatch(place):
        if match["name"] in adopted.names(environ):
            return adopted.host(match["name"], environ)
        return labs.choose(match["name"], labs.running(environ))
    from xentool.hosts.ssh import SshHost  # noqa: PLC0415 - see `labs.ssh_host`

    return SshHost(place.rstrip("/"), name=name)


#: How libvirt names a driver's host. Ref: https://libvirt.org/uri.html
URI = re.compile(r"(?P<driver>[a-z]+)(?:\+(?P<way>[a-z0-9]+))?://(?P<host>[^/?#]*)(?:[/?#].*)?")


def of_uri(uri: str) -> Host:
    """Find the host that a URI of libvirt names: this machine, or one that ssh reaches.

    :raises HostError: it has no known form, or another way leads there
    """
    match = URI.fullmatch(uri)
    if match is None:
        raise HostError(f"{uri!r} is no URI of libvirt")
    if not match["host"]:
        return LocalHost()
    if match["way"] in ("ssh", "libssh", "libssh2"):
        return resolve(f"ssh://{match['host']}")
    raise HostError(f"{uri!r} does not reach its host by ssh; --host ssh://HOST does")


def _any_lab(environ: Mapping[str, str], *, kvm: bool) -> Host:
    running = labs.running(environ)
    if not running and kvm and is_kvm_host():
        return LocalHost()
    if not running:
        raise Unavailable(f"this machine is no Xen dom0 and no lab is running; {labs.GET_ONE}, --host names a Xen host")
    return labs.choose(None, running)
