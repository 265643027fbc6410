"""Adjust the help pages of all commands."""

from collections.abc import Iterator

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

__all__ = ["command_of"]


def command_of(app: typer.Typer) -> TyperCommand | TyperGroup:
    """Return the command line of ``app``; its help shows flags without a type, as they take no value."""
    command = typer.main.get_command(app)
    for part in _all(command):
        for option in [*part.params, part.get_help_option(typer.Context(part))]:
            if isinstance(option, TyperOption) and option.is_flag and option.metavar is None:
                option.metavar = ""
    return command


def _all(command: TyperCommand | TyperGroup) -> Iterator[TyperCommand | TyperGroup]:
    yield command
    if isinstance(command, TyperGroup):
        for part in command.commands.values():
            yield from _all(part)
