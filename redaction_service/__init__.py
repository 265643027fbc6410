"""The redaction service: redacts given detections. Needs no model and no GPU."""
