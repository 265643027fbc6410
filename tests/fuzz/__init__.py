"""What schemathesis needs to know to write requests that this API should take."""
