"""Losses, what is trained by them, and how it is measured."""
