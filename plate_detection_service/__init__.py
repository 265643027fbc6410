"""The plate detection service."""
