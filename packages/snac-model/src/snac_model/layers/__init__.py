"""What decoders and encoder are built of: convolutions, attention, noise, streamed layers."""
