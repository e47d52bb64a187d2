"""What a run leaves: its folder, metrics, best models, checkpoints."""
