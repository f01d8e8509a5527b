"""How a host is written: by --host, in $XENTOOL_HOST, and in the file of hosts by name."""

import re

from xentool.errors import XentoolError

FORMS = "local, ssh://[user@]host[:port], lab, lab:NAME, or a name of `xentool host list`"
# A host or user that begins with a dash could be taken for an option by ssh or by a ProxyCommand.
SSH = re.compile(r"ssh://([^@/\s-][^@/\s]*@)?(\[[0-9A-Fa-f:.%]+\]|[^:/@\s\[-][^:/@\s]*)(:[0-9]+)?/?")
LAB = re.compile(r"lab(?::(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*))?")
#: What a name may be that stands for a host. Those that are forms already stay what they are.
NAME = re.compile(r"(?!(?:local|lab)\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class HostError(XentoolError):
    """A host, or a name for one, is written in no form that is known."""

    exit_code = 2


def is_place(text: str) -> bool:
    """Say whether it tells by itself where a host is, and is no name for one."""
    return text == "local" or any(form.fullmatch(text) for form in (SSH, LAB))
