"""Follow docs/tutorial.md word by word, in this shell's folder: what it says to type, and what comes of it.

python -m tests.docs.tutorial        after its first step, which made this tree
"""

import re
import subprocess
import sys
from itertools import chain

from tests.docs.paths import ROOT

PAGE = ROOT / "docs/tutorial.md"


def main() -> None:
    steps = PAGE.read_text().split("\n## ")[1:]
    blocks = chain.from_iterable(re.findall(r"```sh\n(.*?)```", step, re.DOTALL) for step in steps)
    lines = [line for block in blocks for line in block.splitlines()]
    after = next(index for index, line in enumerate(lines) if line.startswith("export PATH=")) + 1
    # One shell, as a reader has it; each line is shown before it runs.
    script = "\n".join(["set -e", *(f"printf '\\n$ %s\\n' {_quoted(line)}\n{line}" for line in lines[after:])])
    environment = f"export PATH={_quoted(str(ROOT / '.venv/bin'))}:$PATH\n"
    sys.exit(subprocess.run(["bash", "-c", environment + script], check=False).returncode)


def _quoted(line: str) -> str:
    return "'" + line.replace("'", "'\\''") + "'"


if __name__ == "__main__":
    main()
