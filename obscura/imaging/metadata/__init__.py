"""Embedded metadata: reading it, the policy of what is kept, ICC profiles, 360-degree panoramas."""
