"""Settings out of files, as container engines and Kubernetes hand secrets over."""

from pathlib import Path

import pytest

from obscura.errors import SettingsInvalidError
from obscura.settings import Settings

URL = "redis://:p@ss-word@queue:6379/0"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file as an orchestrator mounts it."""
    path = tmp_path / "redis-url"
    path.write_text(URL + "\n", encoding="utf-8")
    return path


def test_a_setting_may_lie_in_a_file(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that ends in `_FILE` names a file; its line end is no part of the value."""
    monkeypatch.delenv("OBSCURA_REDIS_URL", raising=False)
    monkeypatch.setenv("OBSCURA_REDIS_URL_FILE", str(secret))
    assert Settings().redis_url == URL


def test_a_file_and_a_value_contradict_each_other(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two values for one setting are refused rather than one of them guessed."""
    monkeypatch.setenv("OBSCURA_REDIS_URL_FILE", str(secret))
    monkeypatch.setenv("OBSCURA_REDIS_URL", "redis://elsewhere:6379/0")
    with pytest.raises(SettingsInvalidError, match="both set"):
        Settings()


def test_an_empty_value_gives_way_to_the_file(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compose file passes on an unset variable as an empty one."""
    monkeypatch.setenv("OBSCURA_REDIS_URL_FILE", str(secret))
    monkeypatch.setenv("OBSCURA_REDIS_URL", "")
    assert Settings().redis_url == URL


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that was not mounted stops the start; its absence never means `unset`."""
    monkeypatch.setenv("OBSCURA_MANIFEST_KEY_FILE", str(tmp_path / "away"))
    with pytest.raises(SettingsInvalidError, match="OBSCURA_MANIFEST_KEY_FILE"):
        Settings()


def test_a_secret_out_of_a_file_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as secret as one out of a variable, and read as the same type."""
    path = tmp_path / "key"
    path.write_text("hmac:00ff", encoding="utf-8")
    monkeypatch.delenv("OBSCURA_MANIFEST_KEY", raising=False)
    monkeypatch.setenv("OBSCURA_MANIFEST_KEY_FILE", str(path))
    settings = Settings()
    assert settings.manifest_key is not None
    assert settings.manifest_key.get_secret_value() == "hmac:00ff"
    assert "00ff" not in repr(settings)


def test_a_setting_whose_own_name_ends_in_file_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`OBSCURA_AUDIT_FILE` is the path of the audit log, not a file with a setting `audit`."""
    monkeypatch.setenv("OBSCURA_AUDIT_FILE", str(tmp_path / "audit.jsonl"))
    assert Settings().audit_file == tmp_path / "audit.jsonl"
