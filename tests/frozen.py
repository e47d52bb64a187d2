"""The last that the fork server imports: what is there by now, no process that is forked frees.

Garbage collection, which looks at every object of torch otherwise, leaves it alone from then on.
"""

import atexit
import gc

gc.collect()
gc.freeze()
atexit.register(gc.unfreeze)  # of the server alone: DuckDB reports what it finds alive then
