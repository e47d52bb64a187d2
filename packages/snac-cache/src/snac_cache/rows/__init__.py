"""Rows that language models train on, made of cached codes and what the manifest says of them."""
