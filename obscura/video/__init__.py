"""Videos: boxes followed from frame to frame, a still pattern over each, everything else as it was."""
