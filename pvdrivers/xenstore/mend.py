"""Makes a tree of what is left of one: each node hangs from one above, which names it, and none that is not there."""

from collections import defaultdict

from pvdrivers.xenstore import paths
from pvdrivers.xenstore.perms import NONE, Perm
from pvdrivers.xenstore.tree import Tree

# What nobody but domain 0 may use: whoever else might is what was lost.
_PERMS = (Perm(NONE, 0),)


def mend(tree: Tree) -> int:
    """Mend a tree of which records were lost.

    Nodes above others come back without their value, for domain 0 alone; those that nothing hangs from do not.

    :return: how many nodes are known to be lost, with their value or altogether
    """
    planted = Tree()
    planted.plant()
    for path, node in planted.nodes.items():
        if path not in tree.nodes and path[:1] == b"@":
            tree.put(path, node.perms, b"", b"")
    lost = 0
    if paths.ROOT not in tree.nodes:
        tree.put(paths.ROOT, _PERMS, b"", b"")
        lost += 1
    below: defaultdict[bytes, dict[bytes, None]] = defaultdict(dict)
    for path in [path for path in tree.nodes if path[:1] != b"@"]:
        at = path
        while at != paths.ROOT:
            above = paths.parent(at)
            below[above][paths.name(at)] = None
            if above in tree.nodes:
                break
            tree.put(above, _PERMS, b"", b"")
            lost += 1
            at = above
    for path, node in list(tree.nodes.items()):
        there = below.get(path, {})
        named = dict.fromkeys(node.children.split(b"\0")[:-1])
        lost += len(named.keys() - there.keys())
        names = [*(name for name in named if name in there), *(name for name in there if name not in named)]
        children = b"".join(name + b"\0" for name in names)
        if children != node.children:
            tree.put(path, node.perms, node.value, children)
    return lost
