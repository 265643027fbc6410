"""Calcifications in mammograms: decoding, detection, clustering, drawing. Research use, not a medical device.

The detector has no trained weights: it compares bright spots with the local noise
(docs/reference/mammograms.md).
"""
