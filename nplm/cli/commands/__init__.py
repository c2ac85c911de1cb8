"""One command a file, its options beside it."""
