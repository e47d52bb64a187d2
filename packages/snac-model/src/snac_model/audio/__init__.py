"""Audio files: headers, bytes from anywhere, samples, resampling."""
