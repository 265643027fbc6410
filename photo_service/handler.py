"""What this service does; all that it shares with the services of single steps stands in the library."""

from obscura.photo_worker import photo_service

SERVICE = photo_service()
