"""Finds calcifications in mammograms: research use, not a medical device."""
