"""The codec: encode, decode, stream, load and save."""
