"""The photo service: all steps of a photo in one worker."""
