"""Log-ratios that are learned, from samples or from weights."""
