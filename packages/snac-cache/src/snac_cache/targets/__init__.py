"""48 kHz targets: made by an engine, proved to lie where their sources lie, and stored."""
