"""The ideal significance: what a test that knows the signal would find; see `nplm.calibrate.ideal`."""

from __future__ import annotations

from nplm.calibrate.ideal import median_expected_z as median_expected_z
