"""``obscura settings`` shows values with their source and no secrets."""

import json
from pathlib import Path

import pytest

from tests.command_line import obscura


def test_values_sources_and_no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Variables, files and the profile are told apart; a secret's value is masked."""
    (tmp_path / "key").write_text("hmac:00112233", "utf-8")
    monkeypatch.setenv("OBSCURA_QUEUE_LIMIT", "7")
    monkeypatch.setenv("OBSCURA_MANIFEST_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("OBSCURA_PROFILE", "panorama")
    done = obscura("settings", "--json")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert values["OBSCURA_QUEUE_LIMIT"] == {"value": "7", "source": "environment"}
    assert values["OBSCURA_MANIFEST_KEY"] == {"value": "********", "source": "file"}
    assert values["OBSCURA_MAX_SIDE"] == {"value": "32768", "source": "profile"}
    assert values["OBSCURA_LEASE_S"]["source"] == "default"
    assert "00112233" not in done.stdout
    changed = obscura("settings", "--changed").stdout
    assert "OBSCURA_QUEUE_LIMIT=7" in changed
    assert "OBSCURA_LEASE_S" not in changed
