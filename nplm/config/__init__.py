"""YAML files that describe nuisances and what to learn."""
