"""This machine as a host, without Xen."""

from pathlib import Path

import pytest

from xentool.errors import XentoolError
from xentool.hosts.local import DOM0_UUID, LocalHost, is_dom0


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "dom0"),
    [
        ({"proc/xen/capabilities": "control_d\n"}, True),
        ({"proc/xen/capabilities": "\n"}, False),
        ({"sys/hypervisor/type": "xen\n", "sys/hypervisor/uuid": f"{DOM0_UUID}\n"}, True),
        ({"sys/hypervisor/type": "xen\n", "sys/hypervisor/uuid": "3b1c…\n"}, False),
        ({}, False),
    ],
)
def test_dom0_is_told_by_xenfs_or_sysfs(tmp_path: Path, files: dict[str, str], dom0: bool) -> None:
    assert is_dom0(tree(tmp_path, files)) is dom0


def test_local_command_gets_its_input_and_returns_what_it_prints() -> None:
    completed = LocalHost().run(["sh", "-c", "cat; echo oops >&2"], input=b"in")
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, b"in", b"oops\n")


def test_a_failed_command_is_quoted_in_one_line() -> None:
    with pytest.raises(XentoolError, match=r"^sh failed on local: no such domain$"):
        LocalHost().run(["sh", "-c", "echo first >&2; echo no such domain >&2; echo >&2; exit 1"])
    with pytest.raises(XentoolError, match=r"^false failed on local: exit status 1$"):
        LocalHost().run(["false"])
    assert LocalHost().run(["false"], check=False).returncode == 1


def test_a_command_that_does_not_exist_or_end() -> None:
    with pytest.raises(XentoolError, match="/no/such did not start on local: No such file"):
        LocalHost().run(["/no/such"])
    with pytest.raises(XentoolError, match=r"sleep did not end within 0\.1 s on local"):
        LocalHost().run(["sleep", "5"], timeout=0.1)


def test_put_is_all_or_nothing(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"new")
    target = tmp_path / "target"
    LocalHost().put(source, str(target))
    assert target.read_bytes() == b"new"
    with pytest.raises(XentoolError, match="No such file"):
        LocalHost().put(tmp_path / "absent", str(target))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]
