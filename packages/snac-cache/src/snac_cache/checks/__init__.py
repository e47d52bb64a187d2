"""Checks on cached codes, in SQL, over views that the user's own questions share."""
