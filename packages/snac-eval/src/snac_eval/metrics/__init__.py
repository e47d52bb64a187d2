"""Metrics of an output and its reference."""
