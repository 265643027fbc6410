"""Hiding things in pictures: styles, masks, painting, and the policy that says what is hidden how.

Pixels in, pixels out; no files, no formats.
"""
