"""Serve ``/docs`` without loading anything from other servers."""

import base64
import hashlib
import re
from importlib import resources

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

__all__ = ["router_of"]

# The package with Swagger UI's files, which FastAPI would load from a CDN.
ASSETS = resources.files("fastapi_offline") / "static"
TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}


def router_of(title: str, openapi_url: str) -> APIRouter:
    """Return the routes of the page and its files."""
    page = bytes(
        get_swagger_ui_html(
            openapi_url=openapi_url,
            title=title,
            swagger_js_url="/docs/swagger-ui-bundle.js",
            swagger_css_url="/docs/swagger-ui.css",
            swagger_favicon_url="/docs/favicon.png",
        ).body
    )
    policy = _policy(page)
    router = APIRouter(include_in_schema=False)

    @router.head("/docs")
    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"content-security-policy": policy})

    @router.head("/docs/{name}")
    @router.get("/docs/{name}")
    async def asset(name: str) -> Response:
        if name not in TYPES:
            raise HTTPException(404)
        headers = {"cache-control": "public, max-age=3600"}
        return Response((ASSETS / name).read_bytes(), media_type=TYPES[name], headers=headers)

    return router


def _policy(page: bytes) -> str:
    """Return the page's content security policy: its files, the hash of its inline script, this server."""
    inline = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in inline)
    scripts = " ".join(f"'sha256-{text}'" for text in hashes)
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
