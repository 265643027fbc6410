"""Videos: boxes followed from frame to frame, a still pattern over each, everything else as it was."""

from obscura.video.redact import VideoReport, VideoRequest, redact_video
from obscura.video.source import VIDEO_SUFFIXES

__all__ = ["VIDEO_SUFFIXES", "VideoReport", "VideoRequest", "redact_video"]
