"""Attacks on redacted pictures by an attacker who knows everything but the original.

``python -m benchmarks.attacks`` runs them and prints what each style gives away beside what chance gives.
"""
