"""Clients of a running system, blocking and asyncio.

>>> from obscura.client import Obscura
>>> with Obscura("http://localhost:8000") as obscura:  # doctest: +SKIP
...     obscura.blur("photo.jpg").save("hidden.jpg")
"""

from obscura.client.drivers import AsyncObscura, Obscura, Outcome
from obscura.client.results import Found, Hidden, HiddenVideo
from obscura.client.webhooks import verify_webhook
from obscura.contract import UserBox

__all__ = [
    "AsyncObscura",
    "Found",
    "Hidden",
    "HiddenVideo",
    "Obscura",
    "Outcome",
    "UserBox",
    "verify_webhook",
]
