"""The last that the fork server imports: what is there by now, no process that is forked frees.

Garbage collection, which looks at every object of torch otherwise, leaves it alone from then on.
"""

import atexit
import gc

from models import NARROW

from snac_model.codec.encoder_lengths import keeps_bits

# What a process tries once for each width of a block: half of what a worker of a small cache does.
for block in range(len(NARROW["24k"].encoder_rates)):
    keeps_bits(NARROW["24k"].encoder_dim << block)

gc.collect()
gc.freeze()
atexit.register(gc.unfreeze)  # of the server alone: DuckDB reports what it finds alive then
