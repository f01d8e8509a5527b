"""Commands run in the tests' process, which takes a tenth of the time of one of their own."""

import io
import sys
from dataclasses import dataclass

import pytest

from xentool import cli


@dataclass(frozen=True)
class Done:
    """What a command left: its status, and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def ran(*words: str, terminal: bool = False) -> Done:
    """Run a command as ``main`` does.

    :param terminal: let it believe that it writes on a terminal
    """
    out, err = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, stream in (("stdout", out), ("stderr", err)):
            text = io.TextIOWrapper(stream, "utf-8", write_through=True)
            text.isatty = lambda: terminal  # type: ignore[method-assign] # a terminal that can be looked at
            patch.setattr(sys, name, text)
        patch.setattr(sys, "argv", ["xentool", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), out.getvalue().decode(), err.getvalue().decode())
