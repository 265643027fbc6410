"""The photo service; its handler is in ``obscura.handlers.photo``."""

from obscura.handlers.photo import photo_service

SERVICE = photo_service()
