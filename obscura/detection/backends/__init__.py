"""Inference backends, one module each; an engine is imported when a session is opened."""
