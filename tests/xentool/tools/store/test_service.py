"""Sockets and a state that want the same name: told before either is made."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pvdrivers.xenstore.journal import Journal
from pvdrivers.xenstore.records import MAGIC
from xentool.errors import XentoolError
from xentool.tools.store.service import serve


@pytest.mark.parametrize(
    ("sockets", "state"),
    [
        (["s"], "s"),
        (["state.part"], "state"),
        (["s"], "s.lock"),
        (["there/../s"], "s"),
        (["s", "link/s"], None),
        (["s", "s.lock"], None),
        (["s", "other"], "link/other"),
    ],
)
def test_two_that_want_one_name(sockets: list[str], state: str | None, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    before = sorted(tmp_path.iterdir())
    paths = [(domid, tmp_path / name) for domid, name in enumerate(sockets)]
    with pytest.raises(XentoolError, match="want the same name, "):
        serve(paths, tmp_path / state if state else None, {}, print)
    assert sorted(tmp_path.iterdir()) == before


def test_a_state_that_was_cut_off_is_kept_beside_and_told(tmp_path: Path) -> None:
    state = tmp_path / "state"
    Journal(state).close()
    whole = state.read_bytes()
    # The mark of its records, of which the last one has a part.
    cut = whole + whole[len(MAGIC) : len(MAGIC) + 5]
    state.write_bytes(cut)
    words = ["--socket", str(tmp_path / "dom0"), "--state", str(state)]
    with subprocess.Popen(
        [sys.executable, "-m", "xentool", "store", "serve", *words], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        told, serving = (server.stderr.readline() for _ in range(2))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "dom0"))
        server.terminate()
    (aside,) = tmp_path.glob("state.damaged-*")
    assert told == (
        f"xentool: {state}: left out 5 bytes at its end, a change that was never answered, or was cut off; "
        f"the file as it was is {aside}\n"
    )
    assert serving.startswith("xentool: serving")
    assert aside.read_bytes() == cut
