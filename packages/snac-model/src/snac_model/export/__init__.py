"""A run's model as a folder for the Hub: for the official package, for ours, and as ONNX."""
