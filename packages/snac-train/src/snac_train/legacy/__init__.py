"""Configurations of earlier scripts."""
