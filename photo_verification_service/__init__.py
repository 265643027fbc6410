"""The photo verification service: whether two photos show the same thing; owns the database."""
