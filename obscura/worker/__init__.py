"""The worker: a Celery process that claims steps, calls their handlers and records the outcome."""
