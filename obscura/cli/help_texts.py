"""Adjust the help pages of all commands."""

from typing import TYPE_CHECKING

import typer
from typer.core import TyperGroup, TyperOption

__all__ = ["command_of"]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer._click.core import Command


def command_of(app: typer.Typer) -> "Command":
    """Return the command line of ``app``; its help shows flags without a type, as they take no value."""
    command = typer.main.get_command(app)
    for part in _all(command):
        for option in [*part.params, part.get_help_option(typer.Context(part))]:
            if isinstance(option, TyperOption) and option.is_flag and option.metavar is None:
                option.metavar = ""
    return command


def _all(command: "Command") -> "Iterator[Command]":
    yield command
    if isinstance(command, TyperGroup):
        for part in command.commands.values():
            yield from _all(part)
