"""What this service does; the work on a video itself stands in the library."""

from obscura.handlers.video import video_service

SERVICE = video_service()
