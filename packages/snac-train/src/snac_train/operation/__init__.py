"""Processes: started, watched, stopped."""
