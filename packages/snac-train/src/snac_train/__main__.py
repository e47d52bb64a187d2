"""``python3 -m snac_train``."""

from snac_train.cli.train import main

main()
