"""The tests, and their results."""
