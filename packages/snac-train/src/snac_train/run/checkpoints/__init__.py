"""Stopping, and going on exactly."""
