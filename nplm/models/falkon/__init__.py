"""Falkon as a model."""
