"""Unknown variables and wrong values end the start with one clear line each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from obscura.errors import SettingsInvalidError
from obscura.settings.loading import load_settings

ROOT = Path(__file__).parents[3]


def test_a_misspelt_variable_is_named_with_the_nearest_one() -> None:
    """The message has the wrong name and the right one."""
    with pytest.raises(
        SettingsInvalidError, match=r"OBSCURA_QUEUE_LIMITS is not a setting.*OBSCURA_QUEUE_LIMIT"
    ):
        load_settings({"OBSCURA_QUEUE_LIMITS": "5"})


def test_a_wrong_value_is_named_with_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value that is not allowed has a line with the variable and the bound that it broke."""
    monkeypatch.setenv("OBSCURA_QUEUE_LIMIT", "0")
    monkeypatch.setenv("OBSCURA_LEASE_S", "soon")
    with pytest.raises(SettingsInvalidError) as caught:
        load_settings()
    lines = str(caught.value.message).splitlines()
    assert len(lines) == 2
    assert any("OBSCURA_QUEUE_LIMIT" in line and "greater than or equal to 1" in line for line in lines)
    assert any("OBSCURA_LEASE_S" in line for line in lines)


@pytest.mark.parametrize(
    "name",
    [
        "OBSCURA_MANIFEST_KEY_FILE",
        "OBSCURA_DATA_DIR",
        "OBSCURA_SHARED",
        "OBSCURA_GATEWAY_SERVICE_HOST",
        "OBSCURA_GATEWAY_PORT_8000_TCP_ADDR",
        "OTHER_QUEUE_LIMITS",
    ],
)
def test_variables_of_others_are_left_alone(name: str) -> None:
    """Files of secrets, folders of the tools and Kubernetes' service links are no mistakes."""
    load_settings({name: "1"})


@pytest.mark.parametrize("module", ["gateway_service", "redaction_service", "standalone", "obscura.cli"])
def test_processes_end_at_once(module: str, tmp_path: Path) -> None:
    """Every way to start the system ends with code 2 and no traceback."""
    command = [sys.executable, "-m", module, *(["models"] if module == "obscura.cli" else [])]
    environment = {**os.environ, "OBSCURA_STORAGE_DIRECTORY": str(tmp_path)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "OBSCURA_STORAGE_DIR" in done.stderr
