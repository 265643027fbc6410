"""What this service does; all that it shares with the services of single steps stands in the library."""

from obscura.handlers.photo import photo_service

SERVICE = photo_service()
