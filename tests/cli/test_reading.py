"""What a command says of the files that it reads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from nplm.cli.reading import Reader
from nplm.cli.types import ReferenceFile


def test_columns_that_are_no_features_by_default_are_said(folder: Path) -> None:
    rng = np.random.default_rng(3)
    for name, n in (("a.npz", 40), ("b.npz", 30)):
        np.savez(folder / name, x=rng.normal(size=n), index=np.arange(n))
    options = SimpleNamespace(
        reference=(ReferenceFile("a.npz", None),),
        features=None,
        weights=None,
        where=None,
        expected_yield=None,
        tree=None,
        allow_remote=False,
        allow_external_links=False,
    )
    told: list[str] = []
    reference, (data,) = Reader(options, told.append).read("b.npz")
    assert reference.features == data.features == ("x",)
    said = "not among the features: index (row numbers). To choose, name the features"
    assert told == [f"a.npz: {said}", f"b.npz: {said}"]
