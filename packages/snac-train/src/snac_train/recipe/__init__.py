"""What decides a run: its recipe, the heads, and the plan of its epochs."""
