"""Refuse what a request names and no route reads: unknown fields, doubled fields, unknown query parameters.

``only_known`` is a dependency of every router of Obscura's own API; the compatibility APIs go without it.
"""

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any, cast, get_origin

from fastapi import Request, params
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.datastructures import FormData

from obscura.errors import InvalidOptionError, MissingFieldError
from obscura.wording import unknown_name

__all__ = ["check_form", "only_known"]


def check_form(
    form: FormData, known: Collection[str], lists: Collection[str] = (), required: Collection[str] = ()
) -> None:
    """Refuse a form with a field that is not ``known``, or with two of one that is not in ``lists``.

    Raises
    ------
    InvalidOptionError
        With the nearest known name; or with how often a field came.
    MissingFieldError
        If there is an unknown field, and a ``required`` one is missing: that may be it.
    """
    names = [name for name, _ in form.multi_items()]
    unknown = [unknown_name(name, "a field", known) for name in dict.fromkeys(names) if name not in known]
    doubled = [
        f"{name} was sent {names.count(name)} times; send it once"
        for name in dict.fromkeys(names)
        if name in known and name not in lists and names.count(name) > 1
    ]
    missing = [name for name in required if name not in names]
    if unknown and missing:
        message = f"required field missing: {', '.join(missing)}; {'; '.join(unknown)}"
        raise MissingFieldError(message)
    if unknown or doubled:
        raise InvalidOptionError("; ".join(unknown + doubled))


async def only_known(request: Request) -> None:
    """Refuse a POST with query parameters or form fields that its route does not read.

    Raises
    ------
    InvalidOptionError
        With the nearest known name of each.
    """
    if request.method != "POST":
        return
    route = cast("APIRoute", request.scope["route"])
    model = _form_model(route)
    _check_query(request, set(_query_names(route.dependant)), {} if model is None else model.model_fields)
    if model is not None:
        # Parsed already, under the limits of forms; the request keeps it.
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        check_form(await request.form(), model.model_fields, _list_fields(model), required)


def _check_query(request: Request, known: Collection[str], fields: Collection[str]) -> None:
    unknown = [name for name in dict.fromkeys(request.query_params.keys()) if name not in known]
    texts = [
        f"{name} is not a query parameter; send it as a field of the form"
        if name in fields
        else unknown_name(name, "a query parameter", known)
        for name in unknown
    ]
    if texts:
        raise InvalidOptionError("; ".join(texts))


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (item.alias for item in dependant.query_params)
    for part in dependant.dependencies:
        yield from _query_names(part)


def _form_model(route: APIRoute) -> type[BaseModel] | None:
    """Return the model of a route's form; None where it reads none, or reads it itself."""
    for item in route.dependant.body_params:
        kind: Any = item.field_info.annotation
        if (
            isinstance(item.field_info, params.Form)
            and isinstance(kind, type)
            and issubclass(kind, BaseModel)
        ):
            return kind
    return None


@cache
def _list_fields(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if _is_list(field.annotation)}


def _is_list(annotation: Any) -> bool:  # noqa: ANN401 - any type a field may have
    return get_origin(annotation) is list or any(map(_is_list, getattr(annotation, "__args__", ())))
