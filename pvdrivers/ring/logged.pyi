from typing_extensions import Buffer

from pvdrivers.abi.ring import RingType
from pvdrivers.ring.engine import Back

class LoggedBack(Back):
    @staticmethod
    def log_size(kind: RingType, pages: int) -> int: ...
    def __init__(self, memory: Buffer, kind: RingType, log: Buffer, resume: bool = False) -> None: ...
