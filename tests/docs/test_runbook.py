"""The runbook of docs/how-to/operations.md: its commands work, and what it names exists."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from obscura.cli.main import app
from obscura.contract import Priority, Queue
from obscura.settings import Settings
from tests import photos

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/operations.md").read_text("utf-8")
RUNBOOK = PAGE.split("## Runbook\n")[1].split("\n## Supply chain")[0]
BLOCKS = re.findall(r"```sh\n(.*?)```", RUNBOOK, re.DOTALL)
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
COMPOSE = [line for block in BLOCKS for line in block.splitlines() if line.startswith("docker-compose")]


@pytest.mark.parametrize("line", COMPOSE)
def test_a_compose_command_names_what_is_there(line: str) -> None:
    """Every service is one of the file, and every command of ours has such a subcommand."""
    words = shlex.split(line)
    named = {word.partition("=")[0] for word in words if word.endswith("_service") or word == "valkey"}
    assert named <= set(SERVICES)
    if "obscura.cli" in words:
        command = words[words.index("obscura.cli") + 1 :][:2]
        answer = CliRunner().invoke(app, [*command, "--help"])
        assert answer.exit_code == 0, answer.output
    if "llen" in words:
        priority_queues = {queue.priority_queue(priority) for queue in Queue for priority in Priority}
        assert words[words.index("llen") + 1] in priority_queues
    paths = {word for word in words if word.startswith("/var/lib/obscura/")}
    mounts = {volume.partition(":")[2] for volume in SERVICES["gateway_service"]["volumes"]}
    assert all(any(Path(path).is_relative_to(mount) for mount in mounts) for path in paths)


def test_the_runbook_has_commands() -> None:
    """The patterns find them."""
    assert len(COMPOSE) >= 9


def test_every_variable_of_the_runbook_is_a_setting() -> None:
    """None is misspelt."""
    names = {name.removesuffix("_FILE").lower() for name in re.findall(r"OBSCURA_([A-Z0-9_]+)", RUNBOOK)}
    assert names
    assert names <= set(Settings.model_fields)


@pytest.mark.end_to_end
def test_a_missed_face_is_hidden_as_the_runbook_says(system_url: str, tmp_path: Path) -> None:
    """Its lines leave a newly redacted picture and erase the stored one."""
    if shutil.which("curl") is None or shutil.which("jq") is None:
        pytest.skip("the runbook's commands need curl and jq")
    photo = photos.PORTRAIT.read_bytes()
    with httpx.Client(base_url=system_url, timeout=60) as client:
        task = client.post("/blur", files={"file": ("a.jpg", photo)}).json()["task_id"]
        for _ in range(12):
            if client.get(f"/task_result/{task}?wait=20").json()["status"] in {"SUCCESS", "FAILURE"}:
                break
        first = client.get(f"/task_result/{task}/image")
        assert first.status_code == 200
        (block,) = (block for block in BLOCKS if "/redact" in block)
        environment = {"URL": system_url, "TASK": task, "PATH": "/usr/local/bin:/usr/bin:/bin"}
        # Each line waits as long as a gateway does; a busy machine takes longer.
        script = block.replace("curl -sf", "curl -sf --retry 20 --retry-delay 1 --retry-all-errors")
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "shown.jpg").read_bytes() == first.content
        hidden = (tmp_path / "hidden.jpg").read_bytes()
        assert hidden[:2] == b"\xff\xd8"
        assert hidden != first.content
        assert client.get(f"/task_result/{task}/image").status_code == 404
