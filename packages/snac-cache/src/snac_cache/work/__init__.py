"""Work cut into parts, and the processes that share them."""
