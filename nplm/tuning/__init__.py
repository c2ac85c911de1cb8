"""Tuning of the weight clipping."""
