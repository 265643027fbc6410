"""What every request passes costs no turn of a thread."""

import inspect
from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from gateway_service.app import create_app
from obscura.settings import Settings


def called(dependant: Dependant) -> Iterator[object]:
    """Yield what a route has called before it, and what that has called."""
    for inner in dependant.dependencies:
        yield inner.call
        yield from called(inner)


def test_what_routes_depend_on_runs_where_requests_are_answered() -> None:
    """FastAPI hands a plain function to a thread, for each request anew; coroutines stay in the loop."""
    seen: set[object] = set()
    for context in iter_route_contexts(create_app(Settings()).routes):
        # Mounted folders of files have none.
        dependant = getattr(context, "dependant", None)
        if dependant is not None:
            seen.update(called(dependant))
    assert seen
    assert [call for call in seen if not inspect.iscoroutinefunction(call)] == []
