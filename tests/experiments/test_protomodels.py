"""The file of published p-values is read as a literal, and its p-values are compared with ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.channels.protomodels import of_published, read_published
from nplm.channels.pvalues import RegionPValues

REGIONS = """{'settings': None}
# orig_p: a comment
{'ATLAS-1:SR:a': {'origN': 12, 'expectedBG': 5.5, 'bgError': 0.72, 'orig_p': 0.01029},
'ATLAS-1:b': {'origN': 1e-05, 'expectedBG': 1.25, 'bgError': 0.3, 'orig_p': 0.86},
'CMS-2:c': {'origN': 3, 'expectedBG': 3.0, 'bgError': 0.5}}
"""


def test_regions_with_a_p_value_are_read_and_compared(tmp_path: Path) -> None:
    (tmp_path / "plots.dict").write_text(REGIONS)
    table, p = read_published(tmp_path / "plots.dict")
    assert (table.analyses, table.regions) == (("ATLAS-1", "ATLAS-1"), ("SR:a", "b"))
    np.testing.assert_array_equal(table.observed, [12, 0])
    np.testing.assert_array_equal(p, [0.01029, 0.86])
    config = {"published": {"bins": 20, "draws": 5, "factors": [1.0, 0.5]}}
    text, checks = of_published(config, str(tmp_path / "plots.dict"), tmp_path)
    off = np.abs(RegionPValues.of(table).mid - p)
    assert checks[0].measured == pytest.approx(off.mean())
    assert "1 of 2 lie within" in text
    assert "ATLAS-1: b" in text
    assert "were not given" in of_published(config, None, tmp_path)[0]


def test_nothing_in_the_file_is_executed(tmp_path: Path) -> None:
    (tmp_path / "plots.dict").write_text("{}\n{'a:b': print('executed')}\n")
    with pytest.raises(ValueError, match="malformed"):
        read_published(tmp_path / "plots.dict")
