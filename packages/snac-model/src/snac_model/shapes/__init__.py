"""Arithmetic of shapes: configurations, geometry, receptive fields. No torch."""
