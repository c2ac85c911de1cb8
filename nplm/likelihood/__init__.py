"""The loss, extended or of two finite samples, and its sums over the events of a reference."""
