"""Parts of the library, each alone."""
