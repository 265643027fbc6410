"""The video service: redacts faces and plates in videos."""
