"""Words for numbers and verdicts."""
