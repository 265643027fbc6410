"""The web page: static files and a strict content security policy."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from fastapi import APIRouter
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

FOLDER = Path(__file__).parent.parent / "web"
# No inline code and no other hosts; pictures are shown from blob: URLs.
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' blob:; media-src blob:; worker-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
        # Revalidated at every visit by ETag, so that a new version is used at once.
        "cache-control": "no-cache",
    }
)
router = APIRouter(include_in_schema=False)
files = GZipMiddleware(StaticFiles(directory=FOLDER))


class CompressedFile(FileResponse):
    """A file response, compressed with gzip where the client accepts it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await GZipMiddleware(super().__call__)(scope, receive, send)


@router.head("/")
@router.get("/")
async def page() -> FileResponse:
    """Return the web page."""
    return CompressedFile(FOLDER / "index.html", media_type="text/html", headers=dict(HEADERS))


@router.get("/about")
async def about() -> FileResponse:
    """Return the help page."""
    return CompressedFile(FOLDER / "about.html", media_type="text/html", headers=dict(HEADERS))
