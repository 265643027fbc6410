"""What a worker does with one claimed step, by kind of step."""
