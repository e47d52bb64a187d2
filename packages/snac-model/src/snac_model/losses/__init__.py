"""What reconstruction is measured by in training."""
