"""Cuts and expressions of columns: their grammar, and what they are of events, wherever these come from."""
