"""A fast decoder of the same tokens: spectra at a low rate, and an inverse STFT."""
