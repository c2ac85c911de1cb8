"""Pages, pictures and folders that show results."""
