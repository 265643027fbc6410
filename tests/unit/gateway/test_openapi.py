"""The OpenAPI description makes good clients: short unique names, plain forms, groups in order."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from gateway_service.app import create_app
from obscura.settings import Settings

Described = dict[str, Any]
FORM = "multipart/form-data"
WANTED = {
    ("post", "/blur"): "blur_photo",
    ("post", "/detect"): "detect_photo",
    ("post", "/detect_faces"): "detect_faces",
    ("post", "/redact"): "redact_photo",
    ("get", "/task_result/{task_id}"): "get_task",
    ("get", "/task_result/{task_id}/image"): "get_task_picture",
    ("delete", "/task_result/{task_id}"): "erase_task",
    ("post", "/batches"): "create_batch",
    ("get", "/batches/{batch_id}"): "get_batch",
    ("post", "/blur_video"): "blur_video",
}


@pytest.fixture(scope="module")
def description() -> Described:
    """Return the description of a gateway with every group."""
    return create_app(Settings()).openapi()


def operations(description: Described) -> Iterator[tuple[tuple[str, str], Described]]:
    """Yield method and path of every operation with what is said of it."""
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield (method, path), operation


def forms(description: Described) -> Iterator[Described]:
    """Yield the schema of every form."""
    for _, operation in operations(description):
        content = operation.get("requestBody", {}).get("content", {})
        if FORM in content:
            schema = content[FORM]["schema"]
            name = schema.get("$ref", "").rpartition("/")[2]
            yield description["components"]["schemas"][name] if name else schema


def test_operations_have_short_unique_names(description: Described) -> None:
    """No name repeats a path or a method; those of the most used calls are these."""
    names = {where: operation["operationId"] for where, operation in operations(description)}
    assert len(set(names.values())) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+){0,3}", name) for name in names.values())
    assert WANTED.items() <= names.items()
    hooks = description["webhooks"].values()
    assert [hook["post"]["operationId"] for hook in hooks] == [
        "receive_task_finished",
        "receive_batch_finished",
    ]


def test_an_optional_field_of_a_form_is_its_type(description: Described) -> None:
    """No union with null or an empty text; unknown fields are ruled out; nothing but files is required."""
    found = list(forms(description))
    assert len(found) >= 8
    for form in found:
        assert "anyOf" not in form
        assert not [name for name, field in form["properties"].items() if "anyOf" in field]
    own = [form for form in found if form.get("additionalProperties") is False]
    assert {"style", "file", "classes"} <= set().union(*(form["properties"] for form in own))


def test_groups_come_in_the_order_of_use(description: Described) -> None:
    """Photos first, earlier systems and mammograms last; each operation is in exactly one."""
    names = [group["name"] for group in description["tags"]]
    assert names[:5] == ["photos", "tasks", "batches", "videos", "administration"]
    assert {"legacy", "medical"} <= set(names[5:])
    for _, operation in operations(description):
        assert len(set(operation["tags"])) == 1
        assert operation["tags"][0] in names


def test_errors_have_one_shape(description: Described) -> None:
    """The framework's own shape of a validation error is described nowhere."""
    assert "HTTPValidationError" not in str(description)


def test_binary_answers_say_that_they_are(description: Described) -> None:
    """Pictures, videos and archives are described as bytes."""
    for _, operation in operations(description):
        for kind, body in operation["responses"].get("200", {}).get("content", {}).items():
            if kind.startswith(("image/", "video/", "application/zip")):
                assert body["schema"] == {"type": "string", "format": "binary"}


def test_groups_can_be_switched_off() -> None:
    """What is off is neither described nor grouped."""
    paths = create_app(Settings(legacy_apis=False, medical_apis=False)).openapi()
    assert {group["name"] for group in paths["tags"]}.isdisjoint({"legacy", "medical"})
    assert not [path for path in paths["paths"] if path.startswith(("/bocashi", "/auth", "/detection"))]
    assert "/blur" in paths["paths"]


def test_every_object_has_a_name(description: Described) -> None:
    """No operation describes an object in place: a generated client would name a class after the place."""
    nameless: list[str] = []

    def look(node: Any, place: str) -> None:
        if isinstance(node, dict):
            nameless.extend([place] if "properties" in node else [])
            for key, part in node.items():
                look(part, f"{place}/{key}")
        elif isinstance(node, list):
            for number, part in enumerate(node):
                look(part, f"{place}/{number}")

    look(description["paths"], "")
    assert nameless == []
    assert {"BatchForm", "PanoramaxForm", "StreamEvent", "VerificationAnswer2"} <= set(
        description["components"]["schemas"]
    )
