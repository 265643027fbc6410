"""The OpenAPI description and the /docs page."""
