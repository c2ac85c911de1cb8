"""A faint blob in six dimensions: events ranked by f, the region of the largest excess, features left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from experiments.benchmarks.measure import measured
from experiments.experiment import Check, read_config
from nplm import KernelModel, NPLMTest, Sample
from nplm.localization.comparison import Comparison
from nplm.localization.ranking import rank_events
from nplm.localization.region import Region, local_regions
from nplm.models.kernel.without_feature import KernelWithout
from nplm.wording.markdown import markdown_table

_SEEDS = {"reference": 1, "blob": 2, "null": 3, "labels": 4}
# A box holds the blob if it holds more of its events than it lets go.
_MOST = 0.5
# From this share on the region must be found, and the features must be those of the blob.
_CLEAR = 0.04
_RANKED = ["share", "blob width", "t over its null mean, sd", "factor", "least", "most", "enough"]
_REGIONS = [
    "share",
    "blob width",
    "holds most of the blob",
    "blob events in it",
    "observed",
    "expected",
    "factor",
    "bounds of other features",
]
_FEATURES = ["share", "blob width", "x0", "x1", "mean of the others", "one of the blob first", "both first"]


@dataclass(frozen=True, eq=False)
class Blob:
    """What was found of blobs of one kind, one entry a trial; regions and features of the first trials only.

    Arguments:
        share, width: of the blob.
        events: in each sample.
        pulls: t over its null mean, in null standard deviations.
        ranked: share of the blob among the top events over that among all.
        shuffled: the same with labels drawn at random.
        regions: of the largest excess.
        inside: share of the blob's events in it.
        changes: of t without each feature, shape (some, d).
    """

    share: float
    width: float
    events: int
    pulls: Float64[np.ndarray, " trials"]
    ranked: Float64[np.ndarray, " trials"]
    shuffled: Float64[np.ndarray, " trials"]
    regions: Sequence[Region]
    inside: Float64[np.ndarray, " some"]
    changes: Float64[np.ndarray, "some d"]

    @property
    def name(self) -> str:
        """In words."""
        return f"{100 * self.share:g}%, width {self.width:g}"

    @property
    def found(self) -> Bool[np.ndarray, " some"]:
        """Whether the region holds most of the blob."""
        return self.inside > _MOST

    @property
    def enriched(self) -> Float64[np.ndarray, " some"]:
        """Share of the blob in the region over that among all."""
        return self.inside * self.events / np.array([r.events for r in self.regions])

    @property
    def first(self) -> Int64[np.ndarray, "some d"]:
        """The features, in each trial that first without which t falls most."""
        return np.argsort(self.changes, axis=1)


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Looks for blobs of several widths and strengths, and where there are none.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("localization", short)
    with measured() as cost:
        test = _test(config)
        without = [_without(test, feature) for feature in (None, *range(config["dimension"]))]
        blobs = [_look(test, without, config, **kind) for kind in config["blobs"]]
        unseen = _unseen(test, config)
    text = "\n\n".join(
        [
            f"{config['events']} events of {config['dimension']} standard normal features, the share of a Gaussian blob"
            f" around {tuple(config['center'])} in the first two. Ranked by f: the share of the blob among the first"
            f" {config['top']} events over that among all; trials in which it is {config['least']} or more.",
            markdown_table(_RANKED, [_ranked_row(blob, config["least"]) for blob in blobs]),
            "The region of the largest excess: trials in which it holds most of the blob; then means: the share of the"
            " blob's events in it, events observed and expected, the share of the blob among them over that among all,"
            " and bounds of features that the blob is not in.",
            markdown_table(_REGIONS, [_region_row(blob) for blob in blobs]),
            "Change of t without a feature, mean; trials in which it falls most without a feature of the blob (by"
            f" chance {_chance(config['dimension'], 1):.2f}), and in which it falls more without either of them than"
            f" without any other (by chance {_chance(config['dimension'], 2):.2f}).",
            markdown_table(_FEATURES, [_feature_row(blob) for blob in blobs]),
            f"{cost.cpu:.0f} CPU s in all.",
        ]
    )
    return text, _checks(blobs, unseen, config)


def _test(config: dict[str, Any]) -> NPLMTest:
    size = config["reference"]
    x = np.random.default_rng(_SEEDS["reference"]).normal(size=(size, config["dimension"]))
    return NPLMTest(
        Sample(x, np.full(size, config["events"] / size)), KernelModel(reference_exact=True, **config["kernel"])
    )


def _draw(config: dict[str, Any], seed: Sequence[int], share: float, width: float) -> Sample:
    """Data whose last events are those of the blob."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(config["events"], config["dimension"]))
    blob = _count(config, share)
    x[len(x) - blob :, :2] = rng.normal(config["center"], width, size=(blob, 2))
    return Sample(x)


def _count(config: dict[str, Any], share: float) -> int:
    return round(share * config["events"])


def _without(test: NPLMTest, feature: int | None) -> NPLMTest:
    """What `leave_one_out` fits, prepared once for all trials."""
    prepared: Any = test.prepared
    model: Any = test.model
    penalty = 2 * model.penalty * (len(test.reference) + test.reference.total_weight)
    return test.with_model(KernelWithout(prepared, penalty, len(prepared.modes.centers), feature))


def _look(test: NPLMTest, without: Sequence[NPLMTest], config: dict[str, Any], share: float, width: float) -> Blob:
    trials, blob = config["trials"], _count(config, share)
    key = [_SEEDS["blob"], blob, round(1000 * width)]
    data = [_draw(config, [*key, i], share, width) for i in range(trials)]
    fits = test.fit(data)
    asymptotic = test.asymptotic_null(data[0])
    f = [test.prepared.log_ratio(b, sample.events) for sample, b in zip(data, fits.parameters, strict=True)]
    first = [rank_events(*pair)[: config["top"]] for pair in zip(data, f, strict=True)]
    labels = np.arange(config["events"]) >= config["events"] - blob
    rng = np.random.default_rng([_SEEDS["labels"], *key])
    some = data[: config["regions"]]
    regions = [_excess(test, *each) for each in zip(some, f, fits.parameters, strict=False)]
    t = np.stack([one.fit(some).t for one in without], axis=1)
    return Blob(
        share,
        width,
        config["events"],
        (fits.t - asymptotic.mean) / asymptotic.sd,
        np.array([labels[rows].mean() for rows in first]) / share,
        np.array([rng.permutation(labels)[rows].mean() for rows in first]) / share,
        regions,
        np.array([r.box.holds(d.events)[labels].mean() for r, d in zip(regions, some, strict=True)]),
        t[:, 1:] - t[:, [0]],
    )


def _excess(
    test: NPLMTest, data: Sample, f: Float64[np.ndarray, " n"], parameters: Float64[np.ndarray, " p"]
) -> Region:
    reference = test.reference
    excess, _ = local_regions(Comparison(data, f, reference, test.prepared.log_ratio(parameters, reference.events)))
    if excess is None:
        raise RuntimeError("a fit sees no excess at all")
    return excess


def _unseen(test: NPLMTest, config: dict[str, Any]) -> Float64[np.ndarray, " nulls"]:
    """The factor in data with a blob, ranked by fits to data without one."""
    nulls = [_draw(config, [_SEEDS["null"], i], 0.0, 1.0) for i in range(config["nulls"])]
    kind = config["blobs"][0]
    blob = _count(config, kind["share"])
    factors = []
    for i, parameters in enumerate(test.fit(nulls).parameters):
        data = _draw(config, [_SEEDS["null"], config["nulls"] + i], **kind)
        rows = rank_events(data, test.prepared.log_ratio(parameters, data.events))[: config["top"]]
        factors.append((rows >= config["events"] - blob).mean() / kind["share"])
    return np.array(factors)


def _chance(dimension: int, features: int) -> float:
    """The chance that the first `features` of so many in random order are of the two of the blob."""
    return 2 / dimension if features == 1 else 2 / (dimension * (dimension - 1))


def _error(values: Float64[np.ndarray, " n"]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _mean(values: Float64[np.ndarray, " n"], digits: int) -> str:
    return f"{values.mean():.{digits}f} +- {_error(values):.{digits}f}"


def _ranked_row(blob: Blob, least: float) -> list[str]:
    return [
        f"{100 * blob.share:g}%",
        f"{blob.width:g}",
        _mean(blob.pulls, 1),
        _mean(blob.ranked, 1),
        f"{blob.ranked.min():.1f}",
        f"{blob.ranked.max():.1f}",
        f"{(blob.ranked >= least).sum()} of {len(blob.ranked)}",
    ]


def _region_row(blob: Blob) -> list[str]:
    regions = blob.regions
    bounds = np.array([np.isfinite([r.box.low[2:], r.box.high[2:]]).sum() for r in regions])
    return [
        f"{100 * blob.share:g}%",
        f"{blob.width:g}",
        f"{blob.found.sum()} of {len(regions)}",
        _mean(blob.inside, 2),
        f"{np.mean([r.events for r in regions]):.0f}",
        f"{np.mean([r.expected for r in regions]):.0f}",
        _mean(blob.enriched, 1),
        f"{bounds.mean():.1f}",
    ]


def _feature_row(blob: Blob) -> list[str]:
    one, both = (np.all(blob.first[:, :count] < 2, axis=1).sum() for count in (1, 2))
    return [
        f"{100 * blob.share:g}%",
        f"{blob.width:g}",
        *(_mean(values, 0) for values in (*blob.changes[:, :2].T, blob.changes[:, 2:].mean(axis=1))),
        f"{one} of {len(blob.first)}",
        f"{both} of {len(blob.first)}",
    ]


def _checks(blobs: Sequence[Blob], unseen: Float64[np.ndarray, " nulls"], config: dict[str, Any]) -> list[Check]:
    least = config["least"]
    checks = []
    for blob in blobs:
        what = f"{blob.name}: factor among the first {config['top']}, mean"
        checks.append(Check(what, blob.ranked.mean(), _error(blob.ranked), least, np.inf, f"{least} or more"))
    for blob in (b for b in blobs if b.share >= _CLEAR):
        trials = len(blob.found)
        for what, count in (
            ("regions that hold most of the blob", blob.found.sum()),
            ("trials in which t falls most without a feature of the blob", (blob.first[:, 0] < 2).sum()),
        ):
            checks.append(Check(f"{blob.name}: {what}", float(count), 0, trials - 1, trials, f"all of {trials}"))
    shuffled = np.concatenate([blob.shuffled for blob in blobs if blob.share < _CLEAR])
    reach = 3 * _error(shuffled)
    control = "1; negative control"
    checks += [
        Check("factor of shuffled labels", shuffled.mean(), _error(shuffled), 1 - reach, 1 + reach, control),
        Check("factor of fits that saw no blob", unseen.mean(), _error(unseen), 0, least / 2, f"about {control}"),
    ]
    return checks
