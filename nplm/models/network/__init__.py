"""The network model."""
