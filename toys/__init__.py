"""Toy problems with known truth: how to draw samples, the signals, and the exact answers. One file a problem."""
