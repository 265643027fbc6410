"""The whole system in one command: embedded Valkey, a worker for photos, one for videos, the gateway."""
