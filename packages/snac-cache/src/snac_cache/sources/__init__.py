"""Corpora as they are kept: folders, tars, parquet, tables and manifests of other tools."""
