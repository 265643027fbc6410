"""Add what all operations share to the OpenAPI description."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from gateway_service.answers import Problem
from gateway_service.http.access import SECURITY_SCHEMES, is_open
from gateway_service.openapi.components import REFERENCE, name_objects
from gateway_service.openapi.forms import describe_forms, exact_bounds
from obscura.settings import Settings

__all__ = ["groups", "install", "operation_id"]

PROBLEM = {"content": {"application/json": {"schema": {"$ref": REFERENCE + "Problem"}}}}
METHODS = ("get", "post", "put", "patch", "delete")
# Answers of the middleware, possible for every route.
ALWAYS = {
    "403": "a web page of somebody else's",
    "421": "a host name that is not ours",
    "429": "too many requests",
}
KEYED = {"401": "no API key, or none that is valid", "403": "the API key was not made for this"}
WITH_BODY = {
    "400": "the body cannot be parsed",
    "408": "the body did not arrive in time",
    "413": "the body is too large",
    "422": "the body is not what is asked for",
}
FOLLOWERS = {"result": "/get", "picture": "~1image/get", "video": "~1video/get", "erase": "/delete"}
AWAY = {"503": "a part of the system is away or full; see Retry-After"}

GROUPS: Final = {
    "photos": "Find and hide in one photo. With `Accept: image/*` the answer is the picture itself.",
    "tasks": "Follow, fetch and erase what was submitted.",
    "batches": "Many photos in one request.",
    "videos": "Find and hide in a video.",
    "administration": "Health, numbers, and the records of photo verification.",
    "panoramax": "The blurring service of a Panoramax instance.",
    "legacy": "APIs of earlier systems, for callers that were made for them (OBSCURA_LEGACY_APIS).",
    "medical": "Mammograms. Research use, not a medical device (OBSCURA_MEDICAL_APIS).",
}
"""The groups of operations in the order in which they are shown."""


def operation_id(route: APIRoute) -> str:
    """Return the id of an operation: the name of the route's function, which is unique in the gateway."""
    return route.name


def groups(routers: Sequence[APIRouter]) -> list[dict[str, Any]]:
    """Return the groups that ``routers`` belong to, as OpenAPI describes them."""
    used = {tag for router in routers for tag in router.tags}
    return [{"name": name, "description": text} for name, text in GROUPS.items() if name in used]


def install(app: FastAPI, settings: Settings, *, keys: bool) -> None:
    """Add security schemes, common error answers and links to the description of ``app``."""
    described = app.openapi

    def complete() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = _completed(described(), keys=keys)
            describe_forms(schema, settings)
            exact_bounds(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = complete  # type: ignore[method-assign]  # the framework's own way


def _completed(schema: dict[str, Any], *, keys: bool) -> dict[str, Any]:
    components = schema.setdefault("components", {})
    _, definitions = models_json_schema([(Problem, "serialization")], ref_template=REFERENCE + "{model}")
    components["schemas"] = definitions["$defs"] | components.get("schemas", {})
    name_objects(schema)
    if keys:
        components["securitySchemes"] = {name: dict(scheme) for name, scheme in SECURITY_SCHEMES.items()}
    for path, operations in schema["paths"].items():
        for method in METHODS:
            if method in operations and not is_open(method.upper(), path):
                _complete(operations[method], keys=keys)
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    for operations in schema.get("webhooks", {}).values():
        # Any 2xx answer of the receiver is accepted.
        operations["post"]["responses"] = {"2XX": {"description": "taken; anything else is sent again"}}
    return schema


def _link(operation: dict[str, Any]) -> None:
    """Add OpenAPI links from an operation that creates a task to its result."""
    entered = operation["responses"].get("200", {})
    shape = entered.get("content", {}).get("application/json", {}).get("schema", {})
    # Alone, or beside the synchronous answer of zero retention.
    kinds = [shape, *shape.get("anyOf", [])]
    if any(kind.get("$ref", "").endswith("TaskCreated") for kind in kinds):
        parameters = {"task_id": "$response.body#/task_id"}
        entered["links"] = {
            name: {"operationRef": f"#/paths/~1task_result~1{{task_id}}{where}", "parameters": parameters}
            for name, where in FOLLOWERS.items()
        }


def _complete(operation: dict[str, Any], *, keys: bool) -> None:
    answers = ALWAYS | AWAY | (KEYED if keys else {}) | (WITH_BODY if "requestBody" in operation else {})
    _link(operation)
    if "HTTPValidationError" in str(operation["responses"].get("422")):
        # The framework's own shape, which is never sent.
        operation["responses"]["422"] = {"description": WITH_BODY["422"], **PROBLEM}
    for status, text in answers.items():
        operation["responses"].setdefault(status, {"description": text, **PROBLEM})
    if keys:
        operation["security"] = [{name: []} for name in SECURITY_SCHEMES]
