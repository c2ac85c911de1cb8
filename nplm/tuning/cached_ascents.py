"""Climbs of toys from given points, each done once: those that were done before are read from a file."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from nplm._util.files import atomic_path

# Climbs toys at a clip, by their numbers, from a point for each: the t reached and where.
Climber = Callable[
    [float, Int64[np.ndarray, " m"], Float64[np.ndarray, "m p"]],
    tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, "m p"]],
]
_KEY_BYTES = 16
# A process that is killed loses the climbs of so many seconds.
_SECONDS_BETWEEN_SAVES = 30.0


class Climbs:
    """A climber that remembers: the same toy from the same point at the same clip is not climbed again.

    Arguments:
        climber: does the climbs that are not known.
        batch: toys to climb together.
        file: where the climbs are kept; None to forget them with this object. It is read now, and made anew if it is
            damaged or of other toys.
        toys_hash: of all that decides how a climb ends but clip, toy and point.
    """

    def __init__(self, climber: Climber, batch: int, file: Path | None = None, toys_hash: str = "") -> None:
        self._climber, self._batch = climber, batch
        self._file, self._hash = file, toys_hash
        self._known = {} if file is None else _read(file, toys_hash)
        self._saved = time.monotonic()

    def __call__(
        self, clip: float, toys: Int64[np.ndarray, " m"], points: Float64[np.ndarray, "m p"]
    ) -> tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, "m p"]]:
        """The t that each toy reaches from its point, shape (m,), and where, shape (m, P)."""
        keys = [_key(clip, int(toy), point) for toy, point in zip(toys, points, strict=True)]
        new = np.array([row for row, key in enumerate(keys) if key not in self._known], dtype=np.int64)
        try:
            for start in range(0, len(new), self._batch):
                rows = new[start : start + self._batch]
                t, ends = self._climber(clip, toys[rows], points[rows])
                for row, reached, end in zip(rows, t, ends, strict=True):
                    self._known[keys[row]] = float(reached), end
                if time.monotonic() - self._saved > _SECONDS_BETWEEN_SAVES:
                    self._save()
        finally:
            if len(new):
                self._save()
        found = [self._known[key] for key in keys]
        return np.array([t for t, _ in found]), np.stack([end for _, end in found])

    def _save(self) -> None:
        if self._file is None or not self._known:
            return
        with atomic_path(self._file) as temporary:
            np.savez(
                temporary,
                toys_hash=np.array(self._hash),
                keys=np.frombuffer(b"".join(self._known), np.uint8).reshape(-1, _KEY_BYTES),
                t=np.array([t for t, _ in self._known.values()]),
                points=np.stack([end for _, end in self._known.values()]),
            )
        self._saved = time.monotonic()


def _key(clip: float, toy: int, point: np.ndarray) -> bytes:
    return blake2b(np.array([clip, toy, *point], dtype=np.float64).tobytes(), digest_size=_KEY_BYTES).digest()


def _read(file: Path, toys_hash: str) -> dict[bytes, tuple[float, np.ndarray]]:
    """The climbs in a file; none if there is no such file, or it is damaged or of other toys."""
    try:
        with np.load(file) as arrays:
            if str(arrays["toys_hash"]) != toys_hash:
                return {}
            keys = [key.tobytes() for key in arrays["keys"]]
            return dict(zip(keys, zip(arrays["t"].tolist(), arrays["points"], strict=True), strict=True))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return {}
