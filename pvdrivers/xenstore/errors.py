"""The one error that a request can end in."""

import errno


class StoreError(Exception):
    """A request is refused; the client is told the error's name.

    :param code: an errno whose name the protocol has (``wire.ERRORS``)
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return errno.errorcode[self.code]
