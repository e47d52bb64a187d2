"""All metrics of all utterances, by several workers, to a file."""
