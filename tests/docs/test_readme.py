"""The README says what the code does."""

import re
from pathlib import Path

import pytest

from gateway_service.app import create_app
from obscura import errors
from obscura.settings import Settings
from tests.command_line import obscura

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_every_error_code_of_the_table_exists() -> None:
    """No code is documented that no error has, but for those of the framework."""
    table = README.split("| status | codes |")[1].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", table))
    known = {
        kind.code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.ObscuraError)
    }
    assert named - known <= {"not_found"}


def test_every_route_of_the_table_exists() -> None:
    """Each documented call is one of the application's."""
    table = README.split("| call | does |")[1].split("\n\n")[0]
    calls = re.findall(r"`(?:(?:POST|GET|DELETE) )?(/[^`? ]+)", table)
    routes = {*create_app(Settings()).openapi()["paths"], "/docs"}
    plain = {re.sub(r"\{\w+\}", "{}", route) for route in routes}
    assert {re.sub(r"\{\w+\}", "{}", call) for call in calls} <= plain
    assert len(calls) >= 12


@pytest.mark.parametrize("command", re.findall(r"^\.venv/bin/obscura (\w+)", README, re.MULTILINE))
def test_every_command_exists(command: str) -> None:
    """Each documented command has a help text."""
    done = obscura(command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
