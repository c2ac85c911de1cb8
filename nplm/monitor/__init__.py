"""Data quality: windows of data, one after another, against a reference run."""
