"""What a server says of itself, and results that are fetched instead of embedded."""

import base64
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.end_to_end


def test_a_server_says_what_it_takes(client: httpx.Client) -> None:
    """Limits, kinds of files and the values of options, the same that OpenAPI describes."""
    known = client.get("/capabilities").json()
    assert known["photo"]["max_bytes"] == 25 * 1024 * 1024
    assert "image/jpeg" in known["photo"]["media_types"]
    assert "video/mp4" in known["video"]["media_types"]
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    described = {"style": "RedactionStyle", "quality": "Quality", "metadata": "MetadataPolicy"}
    for option, name in described.items():
        assert known["options"][option] == schemas[name]["enum"]


def test_a_picture_is_linked_instead_of_embedded(client: httpx.Client, portrait: Path) -> None:
    """With embed=false the answer has everything but the picture, and says where that is."""
    task = client.post("/blur", files={"file": portrait.read_bytes()}).json()["task_id"]
    linked = client.get(f"/task_result/{task}?wait=30&embed=false").json()
    assert linked["status"] == "SUCCESS"
    assert "result" not in linked
    assert len(linked["detections"]) == 1
    assert linked["picture"]["media_type"] == "image/jpeg"
    picture = client.get(linked["picture"]["url"]).content
    embedded = client.get(f"/task_result/{task}").json()
    assert base64.b64decode(embedded["result"]) == picture
    assert "picture" not in embedded
