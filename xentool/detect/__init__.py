"""What virtualizes this machine, and how, each statement with the evidence for it."""

from pathlib import Path

from xentool.detect.answer import answer
from xentool.detect.model import Answer
from xentool.detect.sources import read


def detect(root: Path = Path("/")) -> Answer:
    """Look at the machine whose file system is at ``root``; nothing is written, run or asked of the network."""
    return answer(read(root))
