"""From what the user said, or did not say, to a Host."""

import os
import re
from collections.abc import Mapping

from traces.meant import meant
from xentool.errors import Unavailable, XentoolError
from xentool.hosts import labs
from xentool.hosts.base import Host
from xentool.hosts.local import LocalHost, is_dom0, is_kvm_host

FORMS = "local, ssh://[user@]host[:port], lab or lab:NAME"
# A host or user that begins with a dash could be taken for an option by ssh or by a ProxyCommand.
SSH = re.compile(r"ssh://([^@/\s-][^@/\s]*@)?(\[[0-9A-Fa-f:.%]+\]|[^:/@\s\[-][^:/@\s]*)(:[0-9]+)?/?")
LAB = re.compile(r"lab(?::(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*))?")


class HostError(XentoolError):
    """The value of --host or $XENTOOL_HOST has no form that is known."""

    exit_code = 2


def resolve(text: str | None, environ: Mapping[str, str] = os.environ, *, kvm: bool = False) -> Host:
    """Find the host that is meant: --host, else $XENTOOL_HOST, else this dom0, else a running lab.

    Nothing is connected to yet.

    :param text: the value of --host, None when it was not given
    :param kvm: this machine will do as a KVM host, too, after a running lab
    :raises HostError: the value has no known form
    :raises Unavailable: there is no such host; the message says how to get one
    """
    text = text or environ.get("XENTOOL_HOST") or None
    if text is None:
        return LocalHost() if is_dom0() else _any_lab(environ, kvm=kvm)
    if text == "local":
        if not is_dom0() and not (kvm and is_kvm_host()):
            raise Unavailable("this machine is no Xen dom0 (no control_d in /proc/xen/capabilities)")
        return LocalHost()
    if SSH.fullmatch(text):
        from xentool.hosts.ssh import SshHost  # noqa: PLC0415 - see `labs.ssh_host`

        return SshHost(text.rstrip("/"), name=text)
    if match := LAB.fullmatch(text):
        return labs.choose(match["name"], labs.running(environ))
    near = meant(text, ["local", "lab", *(f"lab:{name}" for name in labs.running(environ))])
    raise HostError(f"{text!r} is no host; a host is {FORMS}{near}")


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
