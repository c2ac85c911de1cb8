"""Trials that are kept as they are made, so that a run which was stopped goes on where it was."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]


class Kept:
    """A file of trials, one JSON object a line, by the name of their cell and their number.

    Arguments:
        path: of the file; what is in it is not made again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[tuple[str, int], Row] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                self._rows[row["cell"], row["trial"]] = row

    def row(self, cell: str, trial: int, make: Callable[[np.random.Generator], Row]) -> Row:
        """The trial with this number: what was kept, or what is made now from its own random numbers.

        An exception is kept as `error`, and counts as a trial.
        """
        if (found := self._rows.get((cell, trial))) is not None:
            return found
        rng = np.random.default_rng([zlib.crc32(cell.encode()), trial])
        began = time.process_time()
        try:
            made = make(rng)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            made = {"error": f"{type(error).__name__}: {error}"}
        row = {"cell": cell, "trial": trial, **made, "seconds": round(time.process_time() - began, 3)}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._rows[cell, trial] = row
        return row
