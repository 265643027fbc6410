"""The command line application and its commands."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from obscura import __version__
from obscura.cli import audit
from obscura.cli.blur import blur
from obscura.cli.challenges import app as challenges
from obscura.cli.detect import detect
from obscura.cli.doctor import doctor
from obscura.cli.evaluate import evaluate
from obscura.cli.extras import hint, require_server
from obscura.cli.help_texts import command_of
from obscura.cli.keys import app as keys
from obscura.cli.lesions import lesions
from obscura.cli.progress import note
from obscura.cli.redact import redact
from obscura.cli.settings import settings
from obscura.cli.verify import verify
from obscura.errors import ObscuraError
from obscura.settings import Settings
from obscura.settings.loading import load_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Find faces and plates; hide them.",
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer hands the option's value over
    if wanted:
        sys.stdout.write(__version__ + "\n")
        raise typer.Exit


@app.callback()
def start(
    context: typer.Context,
    _version: Annotated[  # noqa: FBT002 - typer reads options from defaults
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Check the settings before any command but ``version`` runs."""
    if context.invoked_subcommand != "version":
        load_settings()


app.command()(detect)
app.command()(blur)
app.command()(redact)


@app.command()
def models() -> None:
    """List the weights that come along and check their checksums."""
    from obscura.cli.in_process import describe_models

    for line in describe_models(Settings()):
        sys.stdout.write(line + "\n")


@app.command()
def serve(
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 8000,
    host: Annotated[
        str, typer.Option(help="address to listen on (default: this machine only)")
    ] = "127.0.0.1",
    data_dir: Annotated[Path | None, typer.Option(help="folder for photos in work and the job store")] = None,
) -> None:
    """Run the whole system in the foreground: embedded Valkey, workers, gateway."""
    require_server()
    place = ["--host", host, "--port", str(port)]
    folder = [] if data_dir is None else ["--data-dir", str(data_dir)]
    # The library knows no service: the system takes this process over, and gets its signals.
    os.execv(sys.executable, [sys.executable, "-m", "standalone", *place, *folder])  # noqa: S606 - no shell wanted


@app.command()
def version() -> None:
    """Print the version."""
    sys.stdout.write(__version__ + "\n")


app.add_typer(keys, name="keys")
app.add_typer(challenges, name="challenges")
app.command()(doctor)
app.command()(evaluate)
app.command()(lesions)
app.command()(settings)
app.command()(verify)
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run the command line; errors are one line and a non-zero exit code."""
    try:
        command_of(app)()
    except ObscuraError as error:
        note(f"obscura: {error.message}", "red", bold=True)
        sys.exit(2)
    except ModuleNotFoundError as error:
        line = hint(error)
        if line is None:
            raise
        note(f"obscura: {line}", "red", bold=True)
        sys.exit(2)
