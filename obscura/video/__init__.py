"""Video redaction: objects tracked through frames, everything else unchanged."""
