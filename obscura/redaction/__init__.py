"""Redaction: styles, masks, painting, and the policy.

Pixels in, pixels out; no files, no formats.
"""
