"""Hides faces and plates in videos."""
