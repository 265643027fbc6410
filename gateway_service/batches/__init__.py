"""Many photos as one batch, and the archive of their results."""
