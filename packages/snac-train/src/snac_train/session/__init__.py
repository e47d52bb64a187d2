"""One run from its inputs to its summary."""
