"""The domains that the store knows of, what each takes up, and what they may.

Ref: tools/xenstored/domain.c
"""

from errno import EBUSY, EINVAL, ENOENT

from pvdrivers.xenstore import quotas
from pvdrivers.xenstore.errors import StoreError
from pvdrivers.xenstore.wire import Feature

DOM0 = 0
#: Numbers from here on name no domain. Ref: xen/include/public/xen.h
DOMID_FIRST_RESERVED = 0x7FF0
DOMID_SELF = 0x7FF0
DOMID_MAX = 0xFFFF

FEATURES = Feature.ERROR | Feature.WATCHDEPTH | Feature.DOMID_ANY


class Domain:
    """One domain.

    :param limits: quotas by name (``quotas.PROFILE``); a domain gets a copy of those in force when it appears
    """

    def __init__(self, domid: int, limits: dict[str, int]) -> None:
        self.domid = domid
        self.privileged = domid == DOM0
        self.home = b"/local/domain/%d" % domid
        #: The domain whose rights it has beside its own.
        self.target: int | None = None
        self.introduced = self.privileged
        self.features = int(FEATURES)
        self.limits = dict(limits)
        self.watches = 0
        self.transactions = 0
        #: Bytes of watches and transactions, and of packets that it has not taken yet.
        self.held = 0
        self.queued = 0

    @property
    def memory(self) -> int:
        """Bytes that it takes up beside its nodes."""
        return self.held + self.queued

    def exceeds(self, quota: str, value: int) -> bool:
        """Tell whether a value is beyond a limit."""
        return not self.privileged and value >= self.limits[quota] > 0


class Domains:
    """All domains, introduced or only mentioned."""

    def __init__(self) -> None:
        self.limits = dict(quotas.PROFILE)
        self._domains: dict[int, Domain] = {}

    def exists(self, domid: int) -> bool:
        """Tell whether a number may be a domain's."""
        return domid < DOMID_FIRST_RESERVED

    def known(self, domid: int) -> Domain:
        """Give a domain, introduced or not.

        :raises StoreError: ENOENT for a number that is no domain's
        """
        if not self.exists(domid):
            raise StoreError(ENOENT)
        if domid not in self._domains:
            self._domains[domid] = Domain(domid, self.limits)
        return self._domains[domid]

    def is_introduced(self, domid: int) -> bool:
        """Tell whether a domain has been introduced and not released."""
        return domid == DOM0 or (domid in self._domains and self._domains[domid].introduced)

    def introduced(self, domid: int) -> Domain:
        """Give a domain that has been introduced.

        :raises StoreError: ENOENT
        """
        if not self.is_introduced(domid):
            raise StoreError(ENOENT)
        return self.known(domid)

    def forget(self, domid: int) -> None:
        """Take note that a domain has ended."""
        del self._domains[domid]
        for other in self._domains.values():
            if other.target == domid:
                other.target = None

    def set_features(self, domid: int, features: int) -> None:
        """Choose what a domain will be told that the server can do.

        :raises StoreError: ENOENT; EBUSY once it is introduced; EINVAL for a feature that there is none
        """
        domain = self.known(domid)
        if domain.introduced:
            raise StoreError(EBUSY)
        if features & ~FEATURES:
            raise StoreError(EINVAL)
        domain.features = features
