"""An evaluation from its request to its files."""
