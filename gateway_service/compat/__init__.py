"""The dialects of the systems that this one replaces."""
