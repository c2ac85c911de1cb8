"""The histogram model."""
