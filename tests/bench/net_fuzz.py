"""Network drivers of ours fed by chance (tests.pvdrivers.net.fuzz): rounds a second of a processor, or what went wrong.

``python -m tests.bench.net_fuzz [TARGET...] [--seconds S] [--seed N] [--lives N]``; without a seed, others each time.
Ends with 1 where a driver did what it must not; the seed that is printed then does it again.
"""

import argparse
import os
import sys

from tests.pvdrivers.net.fuzz.run import TARGETS, Failed, played

_SECONDS = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="of processor time, for each target")
    parser.add_argument("--seed", type=int, help="of the first life; those that follow have the next ones")
    parser.add_argument("--lives", type=int, help="how many, instead of seconds")
    options = parser.parse_args()
    seed = int.from_bytes(os.urandom(6)) if options.seed is None else options.seed
    failed = 0
    for target in options.targets or TARGETS:
        lives = 0

        def enough(_rounds: int, seconds: float) -> bool:
            nonlocal lives
            lives += 1
            return bool(seconds >= options.seconds if options.lives is None else lives > options.lives)

        try:
            done = played(target, seed, enough)
        except Failed as error:
            print(error)
            failed = 1
            continue
        rate = done.rounds / max(done.seconds, 1e-9)
        print(
            f"{target:<18} seed {seed:>15}  {done.lives:>6} lives {done.ended:>6} ended  {rate:>8.0f} rounds/s",
            flush=True,
        )
    return failed


if __name__ == "__main__":
    sys.exit(main())
