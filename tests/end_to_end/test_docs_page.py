"""The page that describes the API."""

import base64
import hashlib
import re

import httpx
import pytest

pytestmark = pytest.mark.end_to_end


def test_the_page_needs_nobody_else(client: httpx.Client) -> None:
    """Every file it names is served here, and its policy lets in these files and its one script."""
    page = client.get("/docs")
    policy = page.headers["content-security-policy"]
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) >= 3
    for name in named:
        asset = client.get(name)
        assert asset.status_code == 200
        assert len(asset.content) > 1000
    assert "://" not in policy
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert client.get("/docs/..%2f__init__.py").status_code == 404
