"""The options of `nplm test` for an anomaly score."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nplm.cli.errors import UsageError
from nplm.cli.options import FLAG
from nplm.cli.types import number, text

ONNX = ".onnx"


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """The score, what it keeps, and what it was trained on; the fields are the long options, with their defaults."""

    score: str | None = None
    score_keep: tuple[float, ...] = (1.0, 0.1, 0.01)
    score_weight: bool = False
    score_trained_on: str | None = None

    @property
    def score_column(self) -> str | None:
        """The column that is the score, if it is one."""
        return None if self.score is None or self.score.endswith(ONNX) else self.score


def require_score(values: Mapping[str, Any]) -> None:
    """Refuses options of a score that contradict each other or those of the test.

    Raises:
        UsageError: naming them.
    """
    known = ("score_keep", "score_weight", "score_trained_on")
    given = [f"--{name.replace('_', '-')}" for name in known if name in values]
    if "score" not in values:
        if given:
            raise UsageError(f"{given[0]} is about an anomaly score: give it with --score, or leave {given[0]} out")
        return
    if values.get("model") != "family":
        raise UsageError(
            f"--score is for the family of tests, but the model is {values.get('model')}: leave out --model and the"
            " options of one model"
        )
    if "score_keep" in values:
        from nplm.scored.thresholds import require_shares

        try:
            require_shares(values["score_keep"])
        except ValueError as error:
            raise UsageError(f"--score-keep: {error}") from error
    if values["score"] in values.get("features", ()):
        raise UsageError(f"'{values['score']}' is both a feature and the score; leave it out of --features")
    if values["score"] == values.get("weights"):
        raise UsageError(f"'{values['score']}' is both the score and the weight column; one of them is another column")


def add_score_options(group: argparse._ArgumentGroup) -> None:
    """Declares the options."""
    group.add_argument(
        "--score",
        type=text,
        metavar="COLUMN",
        help="an anomaly score, larger for rarer events, which was trained on other events than those of the reference:"
        " a column of all files, or an ONNX file (.onnx) with one input, the features, and one output; the events that"
        " it calls rare are compared too, with one p-value for all",
    )
    group.add_argument(
        "--score-keep",
        nargs="+",
        type=number,
        metavar="SHARE",
        help="with --score, shares of the reference that are kept, decreasing; 1 is everything (default: 1 0.1 0.01)",
    )
    group.add_argument(
        "--score-weight",
        action=FLAG,
        help="with --score, look at kernels of all features in which rare events count more too: times (1 - F)^(-1/4),"
        " with F the share of events that are less rare",
    )
    group.add_argument(
        "--score-trained-on",
        type=text,
        metavar="FILE",
        help="with --score, the events that it was trained on: refused if they are those of the reference, and told if"
        " the score knows them by heart",
    )
