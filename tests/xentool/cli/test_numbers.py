"""Numbers that users give: of every option of every command, none that is no number, and none beyond all measure."""

from collections.abc import Iterator

import click
import pytest

from tests.traces.captures import stranger
from tests.xentool.cli.inprocess import ran
from xentool.cli import root


def options(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Parameter]]:
    """Give each option that takes a number with a fraction, with the command's name."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from options(found, f"{path} {name}")
    for parameter in command.params:
        if isinstance(parameter.type, click.types.FloatParamType):
            yield path, parameter


OPTIONS = {f"{path} {one.opts[-1]}".strip(): one for path, one in options(root.group)}


def test_they_are_found() -> None:
    assert {"report --hz", "store watch --timeout", "block bench --seconds", "dump --from"} <= OPTIONS.keys()


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "1e300", "1,5", "-1"])
@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_no_number_is_wrong_usage(name: str, value: str) -> None:
    with pytest.raises(click.BadParameter):
        OPTIONS[name].type.convert(value, OPTIONS[name], None)


@pytest.mark.parametrize("value", ["nan", "1e400", "9" * 400 + "s", "inf"])
def test_durations(value: str) -> None:
    assert ran("report", "-", "--interval", value).returncode == 2
    assert ran("report", "-", "--slower-than", value).returncode == 2


@pytest.mark.parametrize(
    "words", [("--hz", "1e12", "--from", "1e9"), ("--from", "1e9"), ("--hz", "1e12", "--to", "1e9"), ("--hz", "1")]
)
def test_the_largest_are_no_mistake_of_ours(words: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("large") / "a"
    path.write_bytes(stranger("intel-plain"))
    for command in (["report"], ["dump"], ["report", "--slowest", "1"], ["report", "--interval", "1000000s"]):
        done = ran(command[0], str(path), *command[1:], *words)
        assert done.returncode in (0, 1), done.stderr
        assert "mistake" not in done.stderr


@pytest.mark.parametrize("option", ["--pcpu", "--vcpu"])
def test_numbers_of_cpus(option: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cpus") / "a"
    path.write_bytes(stranger("intel-plain"))
    for command in ("report", "dump"):
        assert ran(command, str(path), option, "65535").returncode == 0
        for wrong in ("65536", "4294967296", "9" * 30, "-1"):
            assert ran(command, str(path), option, wrong).returncode == 2
