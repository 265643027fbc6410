"""Attacks on what Obscura hides: what somebody gets back who knows everything but the original.

``python -m benchmarks.attacks`` runs them and prints what each style gives away beside what chance gives.
"""
