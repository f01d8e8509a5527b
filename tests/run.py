"""All tests, as `make test` runs them: those that need no lab, then those that do; then where the time went.

Not beside each other: a lab keeps both processors of a small machine busy, and is slower by what others take.
"""

import shutil
import subprocess
import sys

from tests import times


def main(words: list[str]) -> int:
    """Run all; give the status of what failed first, after which nothing more is run.

    :param words: options for the tests in the lab
    """
    shutil.rmtree(times.FOLDER, ignore_errors=True)
    times.FOLDER.mkdir(parents=True)
    pytest = [sys.executable, "-m", "pytest"]
    no_lab = [*pytest, "-n", "auto", "--dist", "worksteal", "-m", "not lab", "--times", "no lab"]
    lab = [*pytest, "-m", "lab", "--times", "lab", *words]
    status = subprocess.run(no_lab, check=False).returncode or subprocess.run(lab, check=False).returncode
    times.main()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
