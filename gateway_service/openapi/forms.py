"""Correct the OpenAPI description of forms: file fields, optional fields, policy bounds.

The framework describes an uploaded file as any bytes, and an optional field as one that may be null, which no
form can send: such a field is described as its type, and not required. An empty field counts as not sent.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gateway_service.http.egress import PORTS
from gateway_service.openapi.components import REFERENCE
from gateway_service.webhooks.registration import hosts_of
from obscura.settings import Settings

__all__ = ["BINARY", "MAMMOGRAMS", "PICTURES", "VIDEOS", "describe_forms", "exact_bounds"]

Described = dict[str, Any]
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
METHODS = ("post", "put", "patch")
LARGEST = 2**63 - 1
BINARY: Described = {"schema": {"type": "string", "format": "binary"}}
ANY_BYTES = "application/octet-stream"
PICTURES = "image/jpeg, image/png, image/webp, image/tiff, image/bmp, image/gif, image/heic, image/avif"
MAMMOGRAMS = "application/dicom, image/png, image/tiff, image/jpeg"
VIDEOS = "video/mp4, video/quicktime, video/x-matroska, video/webm, video/x-msvideo"


def describe_forms(schema: Described, settings: Settings) -> None:
    """Complete every form of the description ``schema``, in place."""
    policy = _policy(settings)
    for form in _forms(schema):
        body = form["schema"]
        if "$ref" in body:
            body = schema["components"]["schemas"][body["$ref"].removeprefix(REFERENCE)]
        for name, field in body.get("properties", {}).items():
            _never_null(field)
            field.update(policy.get(name, {}))
            files = [part for part in (field, field.get("items", {})) if _is_file(part)]
            for part in files:
                # Both spellings: tools made for OpenAPI 3.0 know only this one.
                part["format"] = "binary"
            if files:
                # A route that takes other files has said so itself.
                form.setdefault("encoding", {}).setdefault(name, {"contentType": PICTURES})


def exact_bounds(node: Any) -> None:  # noqa: ANN401 - any part of a description
    """Write the largest number of 64 bits as it is: the framework rounds it to the next one, in place."""
    if isinstance(node, dict):
        if node.get("maximum") == float(LARGEST):
            node["maximum"] = LARGEST
        for part in node.values():
            exact_bounds(part)
    elif isinstance(node, list):
        for part in node:
            exact_bounds(part)


def _policy(settings: Settings) -> Mapping[str, Mapping[str, Any]]:
    """Return the bounds that this installation sets beyond the technical ones."""
    return {
        "cells": {"maximum": settings.max_cells},
        "grow": {"minimum": settings.min_grow},
        "min_confidence": {"maximum": settings.max_min_confidence},
        "retain": {"maximum": settings.max_retain_s},
        "webhook": _webhooks(settings),
    }


def _webhooks(settings: Settings) -> Mapping[str, Any]:
    """Return what a webhook's address looks like here: a URL of a listed host; where none is, nothing."""
    origins = sorted(hosts_of(settings.webhook_hosts).origins)
    if not origins:
        return {"maxLength": 0}
    usual = (origin.removesuffix(f":{PORTS[origin.partition(':')[0]]}") for origin in origins)
    any_of = "|".join(re.escape(item) for item in dict.fromkeys([*usual, *origins]))
    return {"pattern": f"^({any_of})(/[!-~]*)?$"}


def _forms(schema: Described) -> Iterator[Described]:
    for operations in schema["paths"].values():
        for method in METHODS:
            content = operations.get(method, {}).get("requestBody", {}).get("content", {})
            yield from (content[kind] for kind in FORMS if kind in content)


def _never_null(field: Described) -> None:
    """Take null out of the alternatives of a field: what a form can say instead is nothing."""
    kinds = [kind for kind in field.get("anyOf", []) if kind.get("type") != "null"]
    if len(kinds) == 1:
        del field["anyOf"]
        field.update({**kinds[0], **field})


def _is_file(part: Described) -> bool:
    return part.get("contentMediaType") == ANY_BYTES or part.get("format") == "binary"
