"""File structure of picture and video containers, read without decoding."""
