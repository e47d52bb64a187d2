"""Segments of utterances, and batches of them."""
