"""Manifests: finding audio, reading its headers, splitting it; reading and writing the rows."""
