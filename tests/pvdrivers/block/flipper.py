"""Another process of the frontend's, which changes bytes in its pages as fast as it can: one of two values, in turns.

``python -m tests.pvdrivers.block.flipper DIRECTORY PAGE,... PLACE:VALUE:VALUE...``, until its input ends
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from pvdrivers.transport.loopback import Loopback
from tests.pvdrivers.block.rig import BACK, FRONT


@contextmanager
def flipping(directory: Path, grefs: Sequence[int], flips: Sequence[tuple[int, int, int]]) -> Iterator[None]:
    """Let another process change bytes of these pages.

    :param flips: a place, counted from the first page's beginning, and its two values
    """
    argv = [sys.executable, "-m", "tests.pvdrivers.block.flipper", str(directory), ",".join(map(str, grefs))]
    argv += [":".join(map(str, flip)) for flip in flips]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"flipping\n"
        yield
    assert process.returncode == 0


def main() -> None:
    directory, grefs, *flips = sys.argv[1:]
    ends: list[bool] = []
    Thread(target=lambda: ends.append(bool(sys.stdin.read()) or True), daemon=True).start()
    # Pages that a frontend grants can be had by whoever is their backend's domain.
    with Loopback(Path(directory), BACK) as transport:
        memory = transport.map(FRONT, [int(gref) for gref in grefs.split(",")]).memory
        places = [tuple(map(int, flip.split(":"))) for flip in flips]
        print("flipping", flush=True)
        while not ends:
            for _ in range(1000):
                for place, one, other in places:
                    memory[place] = one
                    memory[place] = other


if __name__ == "__main__":
    main()
