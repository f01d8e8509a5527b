"""``xentool completion``: what a shell needs to complete commands and options."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash: eval "$(xentool completion bash)"        in ~/.bashrc
    zsh:  eval "$(xentool completion zsh)"         in ~/.zshrc
    fish: xentool completion fish | source         in ~/.config/fish/config.fish
    """  # noqa: D301 - raw, click would see two characters, and fold the lines
    completion = source(shell)
    click.echo(completion)


def source(shell: str) -> str:
    """Return the completion script of bash, zsh or fish."""
    from xentool.cli.root import group  # noqa: PLC0415 - the root imports commands, not the other way round

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"no completion for {shell}")
    return completion(group, {}, "xentool", "_XENTOOL_COMPLETE").source()
