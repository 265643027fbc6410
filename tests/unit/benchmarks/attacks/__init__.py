"""Attacks, held to what they must and must not reach."""
