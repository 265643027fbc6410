"""Webhooks: which addresses may be named, and delivering to them."""
