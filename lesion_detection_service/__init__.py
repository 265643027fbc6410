"""The lesion detection service: calcifications in mammograms. Research use, not a medical device."""
