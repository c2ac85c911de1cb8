"""The family of tests: single features, pairs, products, all features and intervals, with one p-value for all."""
