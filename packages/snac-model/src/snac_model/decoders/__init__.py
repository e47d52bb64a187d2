"""The decoders: their protocol, SNAC's own, and one that ends in an inverse STFT."""
