"""Takes detections and hides them; needs no model and no GPU."""
