"""Give the objects of the OpenAPI description names, so that generated clients have one class for each."""

from typing import Any

__all__ = ["REFERENCE", "name_objects"]

REFERENCE = "#/components/schemas/"


def name_objects(schema: dict[str, Any]) -> None:
    """Move every object with a title out of the operations to the components, in place."""
    found: dict[str, Any] = {}
    _name(schema["paths"], found)
    schema["components"]["schemas"] |= found


def _name(node: Any, found: dict[str, Any]) -> None:  # noqa: ANN401 - any part of a description
    if not isinstance(node, dict | list):
        return
    for key, part in list(node.items() if isinstance(node, dict) else enumerate(node)):
        _name(part, found)
        if isinstance(part, dict) and "properties" in part and "title" in part:
            found[part["title"]] = part
            node[key] = {"$ref": REFERENCE + part["title"]}
