"""The lesion detection service; its handler stands in the library."""

from obscura.handlers.lesions import lesion_service

SERVICE = lesion_service()
