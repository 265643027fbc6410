"""The photo verification service: checks whether two photos show the same thing; owns the database."""
