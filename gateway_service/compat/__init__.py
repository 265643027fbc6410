"""Compatibility APIs of the systems that this one replaces."""
