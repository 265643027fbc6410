"""Benchmarks of speed, memory and resistance to attacks."""
