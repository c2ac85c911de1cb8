"""The ideal significance: what a test that knows the signal would find; see `nplm.stats.neyman_pearson`."""

from __future__ import annotations

from nplm.stats.neyman_pearson import median_expected_z as median_expected_z
