"""Samples, and what is made of their features: coordinates, partitions into bins, ranges and fingerprints."""
