"""Pages: their parts and style."""
