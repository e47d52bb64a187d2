"""Audio to cached codes: reading, batches, the encoder, and the parts that it fills."""
