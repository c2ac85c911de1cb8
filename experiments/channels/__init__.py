"""Many results: see README.md."""
