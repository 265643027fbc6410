"""The photo verification API: two versions on the same paths."""

from gateway_service.compat.verification.fetch import sources_of
from gateway_service.compat.verification.routes import MAX_BODY_FACTOR, PATHS, router, unparsable_body

__all__ = ["MAX_BODY_FACTOR", "PATHS", "router", "sources_of", "unparsable_body"]
