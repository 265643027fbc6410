"""The whole system in one command: embedded Valkey, one worker, the gateway."""
