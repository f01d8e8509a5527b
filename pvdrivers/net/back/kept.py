"""How a frontend's packets are steered, kept where it outlives the backend's process (`pvdrivers.bus.journal`).

A frontend asks for it once, and is answered: of a backend that is killed it notices nothing, and counts on its
successor. No ring has it any more by then.

What is written is whole, whenever this process is killed: there are two places, and which of them counts is one byte.
"""

from struct import Struct

from pvdrivers.abi.netif import HashAlgorithm, HashType
from pvdrivers.net.control.back import MAPPING_MAX
from pvdrivers.net.steering import Steering
from pvdrivers.net.toeplitz import KEY_SIZE, Toeplitz

# The algorithm, types, bytes of the key, entries of the mapping, the key, the entries.
_STEERING = Struct(f"<IIII{KEY_SIZE}s{MAPPING_MAX}I")
_FIRST = 8
#: Bytes of memory that it takes.
SIZE = _FIRST + 2 * _STEERING.size


class KeptSteering:
    """The memory, zero where nothing was kept yet.

    :param memory: of `SIZE` bytes
    """

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory

    def write(self, steering: Steering) -> None:
        """Keep it, in place of what was kept."""
        place = 1 - self._memory[0]
        key, mapping = steering.key.key, steering.mapping
        entries = (*mapping, *[0] * (MAPPING_MAX - len(mapping)))
        sizes = len(key), len(mapping)
        at = _FIRST + place * _STEERING.size
        _STEERING.pack_into(self._memory, at, steering.algorithm, steering.types, *sizes, key, *entries)
        self._memory[0] = place

    def close(self) -> None:
        """Let go of the memory, and so of the lock of its file."""
        self._memory.release()

    def read(self, queues: int) -> Steering:
        """Give what was kept.

        :param queues: that the frontend has
        """
        at = _FIRST + self._memory[0] * _STEERING.size
        algorithm, types, length, count, key, *entries = _STEERING.unpack_from(self._memory, at)
        return Steering(
            queues, HashAlgorithm(algorithm), HashType(types), Toeplitz(key[:length]), tuple(entries[:count])
        )
