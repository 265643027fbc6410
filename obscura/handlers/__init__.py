"""The handlers of steps: what a worker does with a claimed step, by kind of step."""
