"""Codes as a language model speaks them: layouts, text, audio."""
