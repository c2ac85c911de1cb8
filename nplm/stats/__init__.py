"""Distributions, intervals and tests of numbers: nothing here knows of samples, models or toys."""
