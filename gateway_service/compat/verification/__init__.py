"""The photo verification API: two dialects on the same paths."""

from gateway_service.compat.verification.fetch import sources_of
from gateway_service.compat.verification.routes import MAX_BODY_FACTOR, PATHS, not_understood, router

__all__ = ["MAX_BODY_FACTOR", "PATHS", "not_understood", "router", "sources_of"]
