"""Events in the order of their log-ratio, with their row numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from nplm._util.files import atomic_path
from nplm.data.sample import Sample
from nplm.localization.comparison import require_log_ratio

# How many events are listed where nobody says.
USUAL_TOP = 200


def rank_events(data: Sample, f_data: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """Indices of the events, the largest f first; events of equal f in the order of their features.

    So the events that come first do not depend on the order of the rows.

    Arguments:
        data: the sample.
        f_data: f at each event, shape (n,).

    Raises:
        ValueError: if there is not one f for each event, or one is NaN or +inf.
    """
    f = require_log_ratio(data, f_data)
    return np.lexsort((data.weights, *data.events.T[::-1], -f))


@dataclass(frozen=True, eq=False)
class RankedEvents:
    """The events of largest f, in that order.

    Arguments:
        rows: where they are in the file (or sample) they come from, counted from 0, shape (m,).
        log_ratio: f, shape (m,).
        sample: the events.
        ranked: number of events they were chosen from.
        of_file: whether `rows` are those of a file, and not of the sample.
    """

    rows: Int64[np.ndarray, " m"]
    log_ratio: Float64[np.ndarray, " m"]
    sample: Sample
    ranked: int
    of_file: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def columns(self) -> dict[str, np.ndarray]:
        """The table by columns: row, log_ratio, weight (if any differs from one), and the features.

        A feature keeps its name; a column of ours that has the same gets an underscore in front.
        """
        ours: dict[str, np.ndarray] = {"row": self.rows, "log_ratio": self.log_ratio}
        if self.sample.is_weighted:
            ours["weight"] = self.sample.weights
        named = {_free(name, self.sample.features): values for name, values in ours.items()}
        return named | {name: self.sample.events[:, j] for j, name in enumerate(self.sample.features)}

    def write(self, path: str | Path) -> None:
        """Writes the table as CSV or Parquet; nobody sees half a file.

        Raises:
            ValueError: if the suffix is neither .csv nor .parquet, or the folder does not exist.
        """
        import pyarrow as pa
        import pyarrow.csv
        import pyarrow.parquet

        target = Path(path)
        if target.suffix not in (".csv", ".parquet"):
            raise ValueError(f"cannot write {target}: events go to .csv or .parquet, not '{target.suffix}'")
        table = pa.table(self.columns())
        with atomic_path(target) as temporary:
            if target.suffix == ".csv":
                pyarrow.csv.write_csv(table, temporary)
            else:
                pyarrow.parquet.write_table(table, temporary)


def most_discrepant(
    data: Sample,
    f_data: Float64[np.ndarray, " n"],
    top: int = USUAL_TOP,
    rows: Int64[np.ndarray, " n"] | None = None,
) -> RankedEvents:
    """The events of largest f: those that the fit finds least expected.

    What is missing where f < 0 has no events to show: see `local_regions`.

    Arguments:
        data: the sample.
        f_data: f at each event, shape (n,).
        top: how many at most.
        rows: where each event is in its file, such as `row_numbers` says, shape (n,); None for 0, 1, ...

    Raises:
        ValueError: if `top` is negative, or the lengths do not match.
    """
    if top < 0:
        raise ValueError(f"the number of events to list must be 0 or more, not {top}")
    numbers = np.arange(len(data)) if rows is None else np.asarray(rows)
    if numbers.shape != (len(data),):
        raise ValueError(f"{data.name} has {len(data)} events, but there are {len(numbers)} row numbers")
    first = rank_events(data, f_data)[:top]
    return RankedEvents(numbers[first], np.asarray(f_data)[first], data.select(first), len(data), rows is not None)


def _free(name: str, taken: tuple[str, ...]) -> str:
    while name in taken:
        name = f"_{name}"
    return name
