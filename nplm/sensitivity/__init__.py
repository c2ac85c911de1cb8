"""What a test would see: power and closure."""
