"""One module per inference engine; each loads its engine only when a session is opened."""
