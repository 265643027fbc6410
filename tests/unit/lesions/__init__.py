"""The lesion detector."""
