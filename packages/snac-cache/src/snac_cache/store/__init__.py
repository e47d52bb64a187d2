"""Cached codes on disk: what a part and a cache say of themselves, and the reader."""
