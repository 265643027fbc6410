"""A worker process: its services, its claim on a step, its heartbeats, its end."""
