"""Auxiliary measurements of nuisances."""
