"""Calcifications in mammograms: reading, finding, grouping, drawing. Research use, not a medical device.

No weights: bright spots are measured against the noise around them (docs/reference/mammograms.md).
"""
