"""The web page: static files and a strict content security policy."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from fastapi import APIRouter
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

FOLDER = Path(__file__).parent.parent / "web"
# No inline code and no other hosts; pictures are shown from blob: URLs.
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'",
        # Revalidated at every visit by ETag, so that a new version is used at once.
        "cache-control": "no-cache",
    }
)
router = APIRouter(include_in_schema=False)
files = StaticFiles(directory=FOLDER)


@router.get("/")
async def page() -> FileResponse:
    """Return the web page."""
    return FileResponse(FOLDER / "index.html", media_type="text/html", headers=dict(HEADERS))
