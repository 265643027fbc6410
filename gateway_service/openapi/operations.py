"""Add what all operations share to the OpenAPI description."""

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from gateway_service.http.access import SECURITY_SCHEMES, is_open
from gateway_service.openapi.forms import describe_forms, exact_bounds
from gateway_service.schemas import Problem
from obscura.settings import Settings

__all__ = ["install"]

PROBLEM = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
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
    _, definitions = models_json_schema(
        [(Problem, "serialization")], ref_template="#/components/schemas/{model}"
    )
    components["schemas"] = definitions["$defs"] | components.get("schemas", {})
    if keys:
        components["securitySchemes"] = {name: dict(scheme) for name, scheme in SECURITY_SCHEMES.items()}
    for path, operations in schema["paths"].items():
        for method in METHODS:
            if method in operations and not is_open(method.upper(), path):
                _complete(operations[method], keys=keys)
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
    for status, text in answers.items():
        operation["responses"].setdefault(status, {"description": text, **PROBLEM})
    if keys:
        operation["security"] = [{name: []} for name in SECURITY_SCHEMES]
