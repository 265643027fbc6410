"""The lesion detection service; its handler is in ``obscura.handlers.lesions``."""

from obscura.handlers.lesions import lesion_service

SERVICE = lesion_service()
