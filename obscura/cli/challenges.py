"""``obscura challenges``: administer photo verification over HTTP."""

import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from obscura.errors import RemoteRefusalError, ServerUnreachableError

if TYPE_CHECKING:
    import httpx

app = typer.Typer(no_args_is_help=True, help="Challenges of photo verification, and who takes part in them.")

TIMEOUT_S = 60.0
DAY = ["%Y-%m-%d"]
HOURS = ["%H:%M:%S", "%H:%M"]
Url = Annotated[str, typer.Option(envvar="OBSCURA_URL", help="address of the running system")]
Key = Annotated[
    str, typer.Option(envvar="OBSCURA_API_KEY", help="key with the scope admin, where keys are asked for")
]
Challenge = Annotated[int, typer.Argument(min=0, help="id of the challenge")]
Participation = Annotated[int, typer.Argument(min=0, help="id of the participation")]
HERE = "http://127.0.0.1:8000"


def _call(method: str, path: str, server: tuple[str, str], body: dict[str, Any] | None = None) -> None:
    """Call the administration and print what it answers, one JSON object a line."""
    import httpx

    url, key = server
    headers = {"x-api-key": key} if key else {}
    try:
        answer = httpx.request(
            method, f"{url.rstrip('/')}/admin{path}", json=body, headers=headers, timeout=TIMEOUT_S
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        message = f"no Obscura answers at {url}"
        raise ServerUnreachableError(message) from error
    if not answer.is_success:
        code, message = _reason(answer)
        raise RemoteRefusalError(message, answer.status_code, code)
    found = answer.json() if answer.content else []
    for row in found if isinstance(found, list) else [found]:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def _reason(answer: "httpx.Response") -> tuple[str, str]:
    """Return code and message of a refusal."""
    try:
        error = answer.json()["error"]
        return str(error["code"]), str(error["message"])
    except (ValueError, KeyError, TypeError):
        return "", f"the server answered with status {answer.status_code}"


@app.command()
def add(
    start_date: Annotated[datetime, typer.Option(formats=DAY, help="first day")],
    end_date: Annotated[datetime, typer.Option(formats=DAY, help="last day")],
    start_time: Annotated[
        datetime, typer.Option(formats=HOURS, help="from when on photos count")
    ] = "00:00:00",  # type: ignore[assignment]  # typer parses it
    end_time: Annotated[datetime, typer.Option(formats=HOURS, help="until when")] = "23:59:59",  # type: ignore[assignment]  # typer parses it
    url: Url = HERE,
    key: Key = "",
) -> None:
    """Create a challenge: days and daily hours, both ends inclusive; from late to early is over midnight."""
    days = {"start_date": f"{start_date:%Y-%m-%d}", "end_date": f"{end_date:%Y-%m-%d}"}
    hours = {"start_time": f"{start_time:%H:%M:%S}", "end_time": f"{end_time:%H:%M:%S}"}
    _call("POST", "/challenges", (url, key), days | hours)


@app.command("list")
def list_all(url: Url = HERE, key: Key = "") -> None:
    """List all challenges."""
    _call("GET", "/challenges", (url, key))


@app.command()
def remove(challenge_id: Challenge, url: Url = HERE, key: Key = "") -> None:
    """Remove a challenge without participants."""
    _call("DELETE", f"/challenges/{challenge_id}", (url, key))


@app.command()
def join(
    challenge_id: Challenge,
    participation_id: Annotated[
        int | None, typer.Option(min=0, help="the app's own id (default: the next free one)")
    ] = None,
    url: Url = HERE,
    key: Key = "",
) -> None:
    """Add a participant to a challenge."""
    body = {"participation_id": participation_id}
    _call("POST", f"/challenges/{challenge_id}/participations", (url, key), body)


@app.command()
def members(challenge_id: Challenge, url: Url = HERE, key: Key = "") -> None:
    """List who takes part in a challenge."""
    _call("GET", f"/challenges/{challenge_id}/participations", (url, key))


@app.command()
def show(participation_id: Participation, url: Url = HERE, key: Key = "") -> None:
    """Show a participation, and whether its photos count now."""
    _call("GET", f"/participations/{participation_id}", (url, key))


@app.command()
def leave(participation_id: Participation, url: Url = HERE, key: Key = "") -> None:
    """Erase a participation with its standard photo, its feed and all pictures of both."""
    _call("DELETE", f"/participations/{participation_id}", (url, key))


@app.command()
def assign(
    old_owner: Annotated[str, typer.Argument(help='id of an API key; "" for what was sent without one')],
    new_owner: Annotated[str, typer.Argument(help="id of the API key that gets its photos")],
    url: Url = HERE,
    key: Key = "",
) -> None:
    """Give all verification photos of one API key to another, as when a key is replaced."""
    _call("POST", "/owners", (url, key), {"old_owner": old_owner, "new_owner": new_owner})
