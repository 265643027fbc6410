"""The video service; its handler is in ``obscura.handlers.video``."""

from obscura.handlers.video import video_service

SERVICE = video_service()
