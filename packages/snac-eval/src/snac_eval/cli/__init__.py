"""Commands: each parses, calls one library function, and prints."""
