"""What the numbers of many utterances say: means, intervals, verdicts."""
