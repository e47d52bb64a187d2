"""Training runs side by side, from what they logged."""
