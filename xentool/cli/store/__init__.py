"""The commands of XenStore."""

import click

from xentool.cli.common.lazy import LazyGroup

COMMANDS = {
    "tree": ("xentool.cli.store.tree:command", "Draw nodes as a tree, with values, permissions and device states."),
    "ls": ("xentool.cli.store.ls:command", "List nodes with their values, as xenstore-ls does."),
    "list": ("xentool.cli.store.list:command", "List the children of nodes."),
    "read": ("xentool.cli.store.read:command", "Print the values of nodes."),
    "write": ("xentool.cli.store.write:command", "Set the values of nodes, all at once."),
    "mkdir": ("xentool.cli.store.mkdir:command", "Create nodes without values."),
    "rm": ("xentool.cli.store.rm:command", "Remove nodes and all under them."),
    "chmod": ("xentool.cli.store.chmod:command", "Set the permissions of nodes."),
    "apply": ("xentool.cli.store.apply:command", "Make changes of several kinds, all at once."),
    "exists": ("xentool.cli.store.exists:command", "Tell by the exit status whether nodes are there."),
    "watch": ("xentool.cli.store.watch:command", "Tell what changes, from what to what; wait until something is so."),
    "snapshot": ("xentool.cli.store.snapshot:command", "Keep nodes in a file."),
    "diff": ("xentool.cli.store.diff:command", "Tell what differs between two snapshots, or a snapshot and now."),
    "serve": ("xentool.cli.store.serve:command", "Serve a XenStore where there is no Xen."),
}


@click.group(cls=LazyGroup, commands=COMMANDS)
def group() -> None:
    r"""Read, change, watch and serve XenStore.

    Its tools use the store that --host names, else the one of $XENSTORED_PATH or $XENSTORED_RUNDIR, of $XENTOOL_HOST,
    of the host in use, of this machine (a dom0 or a guest), or of a running lab. Values are shown as xenstore-ls shows
    them: printable ASCII as it is, all else as \n, \001 or \x1b; in JSON as text, or as base64 when they are no UTF-8.
    """
