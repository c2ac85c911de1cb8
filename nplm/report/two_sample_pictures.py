"""The pictures of a comparison of two samples: what differs most, each feature, and what chance does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from nplm.data.sample import Sample
from nplm.localization.comparison import Comparison
from nplm.localization.localize import Localization
from nplm.plot.f_of_x import plot_log_ratio_of_feature
from nplm.plot.style import save_figure
from nplm.plot.two_sample import null_words, plot_two_sample_marginal, plot_two_sample_null
from nplm.plot.two_sample_bins import Process, fill_two_samples
from nplm.report.feature_table import feature_sentence
from nplm.report.leading import feature_leads, marginal_caption, marginal_names, pair_leads
from nplm.report.pictures import Picture
from nplm.report.roles import Roles
from nplm.report.two_sample_many import sweep_picture
from nplm.two_sample.features import FeatureNumbers
from nplm.two_sample.result import TwoSampleResult
from nplm.two_sample.sweep import TwoSampleSweep

_MOST_FEATURES = 20


@dataclass(frozen=True, eq=False)
class Drawing:
    """What all pictures of a comparison need.

    Arguments:
        folder: where they go.
        a, b: the samples.
        result: of their comparison.
        roles: what the samples are to the reader.
        agreement: whether the test found nothing: then no fit is shown, as it follows fluctuations.
        processes: parts of A.
    """

    folder: Path
    a: Sample
    b: Sample
    result: TwoSampleResult
    roles: Roles
    agreement: bool
    processes: Sequence[Process] = ()

    @property
    def leading(self) -> tuple[str, ...]:
        """The features that the leading test of shapes looks at, where it looks at some of them only."""
        found = self.result.leading_features
        return found if len(found) < len(self.result.features) or len(found) == 1 else ()

    @property
    def alone(self) -> str | None:
        """The one feature that is drawn as what differs most; None if it is a pair, or only the yield, or nothing."""
        result = self.result
        if not self._shapes_differ:
            return None
        if len(result.features) == 1:
            return result.features[0]
        return result.leading_features[0] if len(result.leading_features) == 1 else None

    @property
    def _shapes_differ(self) -> bool:
        """Whether there is a difference that is not of the yield alone."""
        in_yield = self.result.rate is not None and self.result.leading != self.result.leading_shape
        return not (self.agreement or in_yield)

    def leads(self, comparison: Comparison, found: Localization, numbers: Sequence[FeatureNumbers]) -> list[Picture]:
        """The picture of what differs most; none where nothing does, or only the yield."""
        feature = self.alone
        if not self._shapes_differ:
            return []
        if feature is None:
            return pair_leads(self.folder, comparison, found, self.roles)
        figure = self._marginal(feature, enlarge=True)
        of_feature = next(each for each in numbers if each.feature == feature)
        shaded = self._interval(feature) is not None
        caption = self._first_caption()
        return [feature_leads(self.folder, figure, of_feature, caption, shaded=shaded, stacked=bool(self.processes))]

    def features(self, numbers: Sequence[FeatureNumbers]) -> list[Picture]:
        """Each feature with its numbers, those of the leading test first."""
        of = {each.feature: each for each in numbers}
        first = [name for name in self.leading if name in self.result.features]
        names = [*first, *(name for name in self.result.features if name not in first)]
        if self.alone is not None and not self._is_enlarged(self.alone):
            # It stands above already, with all that there is to be seen.
            names.remove(self.alone)
        found = []
        for number, name in enumerate(names[:_MOST_FEATURES]):
            path = save_figure(self._marginal(name), self.folder / f"feature-{number}")[0]
            caption = feature_sentence(of[name]) + (f" {self._first_caption()}" if number == 0 else "")
            found.append(Picture(path, f"Feature {name}", caption))
        if len(self.result.features) == 1 and not self.agreement:
            (only,) = self.result.features
            figure = plot_log_ratio_of_feature(self.a, self.b, only, (self.result.log_ratio_a, self.result.log_ratio_b))
            caption = (
                "The fitted log of the density of"
                f" {self.roles.b} over that of {self.roles.a}, with the log of the ratio of bins (points). Where f is"
                f" above zero there are more events of {self.roles.b} than the shape of {self.roles.a} predicts."
            )
            found.append(Picture(save_figure(figure, self.folder / "log-ratio")[0], f"f against {only}", caption))
        return found

    def chance(self) -> list[Picture]:
        """The statistic of samples without a difference, if there are some."""
        if self.result.null is None:
            return []
        path = save_figure(plot_two_sample_null(self.result), self.folder / "null")[0]
        caption = f"The statistic of {null_words(self.result)}, and that of the samples (orange)."
        return [Picture(path, "What chance does", caption)]

    def sweep(self, sweep: TwoSampleSweep | None) -> list[Picture]:
        """Z against the number of events, if it was looked at."""
        if sweep is None:
            return []
        return [sweep_picture(self.folder, sweep)]

    def _interval(self, feature: str) -> tuple[float, float] | None:
        """Where the leading test finds most, if that is in this feature, and not across the cut of an angle."""
        found = self.result.leading_interval
        if found is None or self.result.leading_features != (feature,) or found[0] > found[1]:
            return None
        return found

    def _marginal(self, feature: str, *, enlarge: bool = False) -> Figure:
        test = self.roles.of_test
        found = None if self.agreement else self._interval(feature)
        names = None
        if test:
            names = marginal_names(self.a, self.b, self.result.sample_names)
        return plot_two_sample_marginal(
            self.a,
            self.b,
            self.result,
            feature,
            names=names,
            yields=test,
            fitted=not self.agreement,
            interval=found,
            enlarge=enlarge,
            processes=self.processes,
        )

    def _is_enlarged(self, feature: str) -> bool:
        found = self._interval(feature)
        if found is None:
            return False
        return fill_two_samples(self.a, self.b, feature, interval=found).enlarged

    def _first_caption(self) -> str:
        return marginal_caption(self.roles, fitted=not self.agreement, scaled=self.result.rate is None)
