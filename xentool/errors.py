"""What can go wrong, by who has to act on it; the command line turns each into one line and an exit code."""


class XentoolError(Exception):
    """An operation failed in a way that a user can act on; the message is one line that says how."""

    exit_code = 1


class Unavailable(XentoolError):
    """There is no Xen, KVM or host to work with."""

    exit_code = 3


class PeerError(XentoolError):
    """A peer, a file or a guest broke the protocol or format."""

    exit_code = 4
