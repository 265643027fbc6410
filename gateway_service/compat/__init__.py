"""Compatibility APIs: the HTTP interfaces of the legacy systems that this one replaces."""
