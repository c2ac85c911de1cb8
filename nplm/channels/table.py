"""A table of counting regions: what was observed, what was expected and how well, and what is correlated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

# Smallest eigenvalue of correlations that is positive.
_SMALLEST_EIGENVALUE = 1e-10
# A covariance whose errors differ more than that from those of the table is worth a remark.
_SAME = 0.1


@dataclass(frozen=True, eq=False)
class Covariance:
    """The covariance of what is expected in some regions of one analysis.

    Arguments:
        rows: of the regions in their table, shape (k,).
        matrix: of what is expected there, shape (k, k).
    """

    rows: Int64[np.ndarray, " k"]
    matrix: Float64[np.ndarray, "k k"]

    @property
    def error(self) -> Float64[np.ndarray, " k"]:
        """Roots of the diagonal."""
        return np.sqrt(np.diag(self.matrix))

    @property
    def correlation(self) -> Float64[np.ndarray, "k k"]:
        """The matrix over the errors of both."""
        return self.matrix / np.outer(self.error, self.error)


@dataclass(frozen=True, eq=False)
class RegionTable:
    """Counting regions of several analyses.

    Arguments:
        regions, analyses: name of each region, and of the analysis that it belongs to; the pair is unique.
        observed: counts, shape (m,).
        expected, error: of the background, shape (m,).
        labels: further columns of text, such as experiment and energy, by name.
        covariances: of regions of an analysis, by its name; regions that are in none are independent.
        name: of the table in messages.

    Raises:
        ValueError: naming the region, if a value makes no sense, a region is there twice, or a covariance is none.

    Example:
        >>> table = RegionTable.from_columns({"region": ["A", "B"], "analysis": ["x", "x"], "observed": [3, 12],
        ...     "expected": [1.2, 9.8], "error": [0.4, 2.0]})
        >>> len(table), table.title(1)
        (2, 'x: B')
    """

    regions: tuple[str, ...]
    analyses: tuple[str, ...]
    observed: Float64[np.ndarray, " m"]
    expected: Float64[np.ndarray, " m"]
    error: Float64[np.ndarray, " m"]
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    covariances: Mapping[str, Covariance] = field(default_factory=dict)
    name: str = "table"

    def __post_init__(self) -> None:
        seen: set[tuple[str, str]] = set()
        if not self.regions:
            raise ValueError(f"{self.name} has no regions")
        for i, pair in enumerate(zip(self.analyses, self.regions, strict=True)):
            what = f"{self.name}: region '{pair[1]}' of '{pair[0]}'"
            if pair in seen:
                raise ValueError(f"{what} is there twice; leave one out, or give it another name")
            seen.add(pair)
            n, b, error = (float(v[i]) for v in (self.observed, self.expected, self.error))
            if not (np.isfinite(n) and n >= 0 and n == round(n)):
                raise ValueError(f"{what}: observed must be a whole number, 0 or more, not {n:g}")
            if not (np.isfinite(b) and b >= 0):
                raise ValueError(f"{what}: expected must be a number, 0 or more, not {b:g}")
            if not (np.isfinite(error) and error >= 0):
                raise ValueError(f"{what}: error must be a number, 0 or more, not {error:g}")
            if b == 0 and error == 0:
                raise ValueError(f"{what}: expected and error are both 0, so that nothing could ever be observed")
        for analysis, covariance in self.covariances.items():
            _require_covariance(f"{self.name}: the covariance of '{analysis}'", covariance)

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Sequence[Any]] | Any,
        covariances: Mapping[str, Mapping[str, Any]] | None = None,
        name: str = "table",
    ) -> RegionTable:
        """From columns by name, such as those of a data frame; what has no name of its own becomes a label.

        Arguments:
            columns: region, analysis, observed, expected, error, and any others of text.
            covariances: for each analysis the names of regions in "order", and "covariance" or "correlation".
            name: of the table in messages.

        Raises:
            ValueError: if a column is missing, and as `RegionTable`.
        """
        names = list(columns.keys())
        missing = [each for each in ("region", "analysis", "observed", "expected", "error") if each not in names]
        if missing:
            raise ValueError(f"{name} has no column '{missing[0]}': there are {', '.join(map(str, names))}")
        words = {str(key): tuple(str(v) for v in columns[key]) for key in names if key not in _NUMBERS}
        numbers = {}
        for key in _NUMBERS:
            try:
                numbers[key] = np.array([float(v) for v in columns[key]])
            except (TypeError, ValueError):
                raise ValueError(f"{name}: column '{key}' must hold numbers") from None
        regions, analyses = words.pop("region"), words.pop("analysis")
        if len({len(v) for v in (*words.values(), *numbers.values(), regions, analyses)}) > 1:
            raise ValueError(f"{name}: its columns have different lengths")
        table = cls(
            regions,
            analyses,
            numbers["observed"],
            numbers["expected"],
            numbers["error"],
            labels=words,
            name=name,
        )
        return table if covariances is None else table.with_covariances(covariances)

    def with_covariances(self, documents: Mapping[str, Mapping[str, Any]], name: str = "covariances") -> RegionTable:
        """With covariances, or correlations of the errors in the table, of regions within analyses.

        Arguments:
            documents: as `from_columns` takes them; analyses that are not in the table are refused.
            name: of their file in messages.

        Raises:
            ValueError: naming the analysis.
        """
        if not isinstance(documents, Mapping):
            raise ValueError(f"{name} must map names of analyses to their covariances")
        found = {}
        for analysis, document in documents.items():
            what = f"{name}: '{analysis}'"
            if analysis not in self.rows:
                raise ValueError(f"{what} is no analysis of {self.name}: there are {', '.join(self.rows)}")
            kinds = {"covariance", "correlation"}
            if not isinstance(document, Mapping) or "order" not in document or len(kinds & document.keys()) != 1:
                raise ValueError(
                    f"{what} must have 'order', the names of its regions, and 'covariance' or 'correlation'"
                )
            (kind,) = kinds & document.keys()
            order = [str(each) for each in document["order"]]
            for each in order:
                if (str(analysis), each) not in self._places:
                    raise ValueError(f"{what}: there is no region '{each}' of it in {self.name}")
                if order.count(each) > 1:
                    raise ValueError(f"{what}: 'order' names '{each}' twice")
            try:
                matrix = np.array(document[kind], dtype=np.float64)
            except (TypeError, ValueError):
                raise ValueError(f"{what}: '{kind}' must be rows of numbers, as many as regions") from None
            if matrix.shape != (len(order), len(order)) or not len(order):
                raise ValueError(f"{what}: '{kind}' must have {len(order)} rows and columns, not shape {matrix.shape}")
            rows = np.array([self._places[str(analysis), each] for each in order], dtype=np.int64)
            if kind == "correlation":
                matrix = matrix * np.outer(self.error[rows], self.error[rows])
            found[str(analysis)] = Covariance(rows, matrix)
        return replace(self, covariances=found)

    def with_observed(self, observed: Float64[np.ndarray, " m"]) -> RegionTable:
        """The same regions with other counts."""
        return replace(self, observed=np.asarray(observed, dtype=np.float64))

    def scaled(self, factor: float) -> RegionTable:
        """All errors times a factor."""
        covariances = {a: Covariance(c.rows, c.matrix * factor**2) for a, c in self.covariances.items()}
        return replace(self, error=self.error * factor, covariances=covariances)

    def __len__(self) -> int:
        return len(self.regions)

    @cached_property
    def rows(self) -> Mapping[str, Int64[np.ndarray, " k"]]:
        """Of each analysis, its rows, in the order of the table."""
        found: dict[str, list[int]] = {}
        for i, analysis in enumerate(self.analyses):
            found.setdefault(analysis, []).append(i)
        return {analysis: np.array(rows, dtype=np.int64) for analysis, rows in found.items()}

    def label_of(self, column: str) -> tuple[str, ...]:
        """A column of text: analysis, or one of the labels.

        Raises:
            ValueError: if there is none of this name.
        """
        if column == "analysis":
            return self.analyses
        if column not in self.labels:
            raise ValueError(
                f"{self.name} has no column '{column}' of text: there are {', '.join(['analysis', *self.labels])}"
            )
        return self.labels[column]

    def title(self, row: int) -> str:
        """Analysis and region."""
        return f"{self.analyses[row]}: {self.regions[row]}"

    def row_of(self, region: str, analysis: str | None = None) -> int:
        """The row of a region; its analysis is needed where others have a region of that name.

        Raises:
            ValueError: if there is none, or several.
        """
        if analysis is not None:
            if (analysis, region) not in self._places:
                raise ValueError(f"{self.name} has no region '{region}' of '{analysis}'")
            return self._places[analysis, region]
        found = [i for i, name in enumerate(self.regions) if name == region]
        if len(found) != 1:
            many = f"{len(found)} regions '{region}': say of which analysis" if found else f"no region '{region}'"
            raise ValueError(f"{self.name} has {many}")
        return found[0]

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What a reader should know of the covariances."""
        found = []
        for analysis, covariance in self.covariances.items():
            ratio = covariance.error / np.where(self.error[covariance.rows] > 0, self.error[covariance.rows], np.nan)
            off = np.abs(ratio - 1) > _SAME
            if off.any():
                worst = int(np.nanargmax(np.abs(np.log(ratio))))
                found.append(
                    f"the covariance of {analysis} has other errors than the table in {off.sum()} of"
                    f" {len(ratio)} regions ({self.regions[covariance.rows[worst]]}:"
                    f" {covariance.error[worst]:.3g}, not {self.error[covariance.rows[worst]]:.3g}); p-values take"
                    " those of the table, likelihoods the covariance"
                )
        return tuple(found)

    @cached_property
    def _places(self) -> Mapping[tuple[str, str], int]:
        return {pair: i for i, pair in enumerate(zip(self.analyses, self.regions, strict=True))}


_NUMBERS = ("observed", "expected", "error")


def _require_covariance(what: str, covariance: Covariance) -> None:
    matrix = covariance.matrix
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T, rtol=1e-6, atol=1e-12):
        raise ValueError(f"{what} must be finite and symmetric")
    if not (np.diag(matrix) > 0).all():
        raise ValueError(f"{what} has a variance of {np.diag(matrix).min():g} on its diagonal, where all are positive")
    least = float(np.linalg.eigvalsh(covariance.correlation)[0])
    if not least > _SMALLEST_EIGENVALUE:
        raise ValueError(
            f"{what} is not positive definite: the smallest eigenvalue of its correlations is {least:.2g}, where all"
            " are positive; was it rounded too much?"
        )
