"""Verifies that two photos show the same thing, and keeps the photos and rows that follow from it."""
