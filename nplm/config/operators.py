"""Operators of effective theories in the YAML file of `nplm learn`: basis points, and the columns of weights there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm.config.documents import NuisanceFileError, texts
from nplm.config.learning_points import members_of
from nplm.data.sample import Sample
from nplm.learning.from_morphing import learn_from_morphing
from nplm.learning.learned_polynomial import LearnedPolynomialRatio, PolynomialForm
from nplm.learning.local_score import LocalScore, learn_local_score
from nplm.learning.morphed_sample import MorphedSample
from nplm.learning.morphing import Morphing
from nplm.learning.regression import RegressionSettings
from nplm.learning.settings import RatioSettings


@dataclass(frozen=True)
class Operators:
    """Parameters that enter weights as a polynomial.

    Arguments:
        name: what files are called after.
        morphing: the polynomial through the basis points.
        columns: of weights, one for each point; or one of arrays, which stands for all its elements.
        relative: whether they hold ratios to the weights; None to see.
        form, reach, inputs: see `learn_from_morphing`.
        settings: how to learn.
        checked: theta where the ratio is checked, beside the usual points.
    """

    name: str
    morphing: Morphing
    columns: tuple[str, ...]
    relative: bool | None
    form: PolynomialForm
    reach: Mapping[str, float] | None
    inputs: tuple[str, ...] | None
    settings: RegressionSettings
    checked: tuple[Mapping[str, float], ...] = ()

    @classmethod
    def of(cls, source: Path, name: str, entry: Mapping[str, Any], settings: RatioSettings) -> Operators:
        """What an entry describes.

        Raises:
            NuisanceFileError: if it makes no sense.
        """
        points = [{str(n): float(v) for n, v in point.items()} for point in entry["points"]]
        parameters = tuple(dict.fromkeys(n for point in points for n in point))
        reach = entry.get("reach")
        inputs = entry.get("inputs")
        columns = tuple(member for column in texts(entry["weights"]) for member in members_of(column))
        try:
            if not parameters:
                raise ValueError("the points name no parameter: give the values of some at each point but one")
            morphing = Morphing(parameters, points, entry.get("degree", 2))
            if len(columns) not in (1, len(points)):
                raise ValueError(
                    f"there are {len(points)} points and {len(columns)} columns of weights: give one for each point,"
                    " or a column of arrays"
                )
            if repeated := [column for column in columns if columns.count(column) > 1]:
                raise ValueError(f"the column '{repeated[0]}' is given for several points")
            if reach is not None and {*reach} != {*parameters}:
                raise ValueError(f"reach is of {', '.join(reach)}, and the parameters are {', '.join(parameters)}")
            own = {key: entry[key] for key in ("members", "centers") if key in entry}
            learning = RegressionSettings(**own, held_out=settings.held_out, seed=settings.seed)
        except ValueError as error:
            raise NuisanceFileError(f"{source}: operators.{name}: {error}") from error
        return cls(
            name,
            morphing,
            columns,
            entry.get("relative"),
            entry.get("form", "positive"),
            None if reach is None else {str(n): float(v) for n, v in reach.items()},
            None if inputs is None else texts(inputs),
            learning,
            tuple({str(n): float(v) for n, v in theta.items()} for theta in entry.get("checked", ())),
        )

    def learn(
        self, source: Path, central: Sample, weights: Float64[np.ndarray, "n m"]
    ) -> tuple[LearnedPolynomialRatio, LocalScore, MorphedSample]:
        """The log-ratio and the local score.

        Raises:
            NuisanceFileError: if weights cannot serve.
        """
        names = self.morphing.parameters
        try:
            points, degree = self.morphing.points, self.morphing.degree
            morphed = MorphedSample.of(central, weights, points, names, degree, relative=False)
            reach = None if self.reach is None else [self.reach[name] for name in names]
            ratio = learn_from_morphing(
                morphed,
                form=self.form,
                reach=reach,
                inputs=self.inputs,
                settings=self.settings,
                checked=self.checked,
            )
            return ratio, learn_local_score(morphed, inputs=self.inputs, settings=self.settings), morphed
        except ValueError as error:
            raise NuisanceFileError(f"{source}: operators.{self.name}: {error}") from error
