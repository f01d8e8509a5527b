"""The commands for hosts by name."""

import click

from xentool.cli.common.lazy import LazyGroup

COMMANDS = {
    "add": ("xentool.cli.host.add:command", "Give a host a name."),
    "use": ("xentool.cli.host.use:command", "Choose the host that commands use when they are told none."),
    "list": ("xentool.cli.host.list:command", "List the hosts that have names."),
    "remove": ("xentool.cli.host.remove:command", "Forget a host."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def group() -> None:
    """Name hosts, and choose the one that commands use.

    A name is for --host and $XENTOOL_HOST. Commands take the host that --host names, else that of $XENTOOL_HOST, else
    the one in use, which they say, else this dom0, else a running lab.

    Names are kept in $XDG_CONFIG_HOME/xentool/config.toml, by default ~/.config/xentool/config.toml:

    \b
        use = "xen1"
        [hosts]
        xen1 = "ssh://root@xen1"
    """  # noqa: D301 - raw, click would see two characters, and fold the lines
