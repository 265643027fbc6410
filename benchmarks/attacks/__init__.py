"""Attacks on redacted pictures by an attacker who knows everything except the original.

``python -m benchmarks.attacks`` runs them and prints what an attacker recovers from each style, and chance.
"""
