"""The decoder's outputs by the names that recipes, metrics and folders call them."""

HEADS = {24_000: "24k", 48_000: "48k"}
RATES = {head: rate for rate, head in HEADS.items()}
