"""Anomaly scores in ONNX files, evaluated by onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

# Events that are evaluated at a time.
_ROWS = 1 << 16
_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}


@dataclass(frozen=True)
class OnnxScore:
    """The score that a model in an ONNX file gives: larger for rarer events.

    The model has one input of floating-point numbers, shape (n, d) with n free and d the number of features, in their
    order and as they are in the files; and its first output is one number for each event. What brings features to
    other scales, and the distance from what an autoencoder makes of them, are part of the model.

    Arguments:
        path: of the file.

    Raises:
        ValueError: if the file cannot be read, has several inputs or one of whole numbers, or onnxruntime is missing.
    """

    path: str | Path
    _session: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise ValueError(
                f"{self.path}: a score in an ONNX file needs onnxruntime: pip install 'nplm-jax[onnx]'"
            ) from error
        if not Path(self.path).is_file():
            raise ValueError(f"{self.path}: there is no such file; give the ONNX file of the score")
        options = onnxruntime.SessionOptions()
        # One thread, so that sums do not depend on how many there are.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has classes of its own for each
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{self.path} is no ONNX model that onnxruntime can run: {first}") from error
        inputs = session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(each.name for each in inputs)
            raise ValueError(
                f"{self.path} has {len(inputs)} inputs ({names}), but a score has one, of shape (n, features): join"
                " them in the model"
            )
        if inputs[0].type not in _TYPES:
            raise ValueError(f"{self.path}: its input is a {inputs[0].type}, and events are tensor(float)")
        object.__setattr__(self, "_session", session)

    @property
    def __name__(self) -> str:
        """What results call it."""
        return str(self.path)

    def __call__(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, " n"]:
        """The score of each event.

        Raises:
            ValueError: if the model has another number of features, or gives more than one number for an event.
        """
        entry = self._session.get_inputs()[0]
        wanted = entry.shape[1] if len(entry.shape) == 2 else None
        if isinstance(wanted, int) and wanted != events.shape[1]:
            raise ValueError(
                f"{self.path} takes {wanted} features, but {events.shape[1]} are compared: name those that it was"
                " trained on, in their order (--features)"
            )
        rows = events.astype(_TYPES[entry.type])
        parts = []
        for start in range(0, len(rows), _ROWS):
            block = rows[start : start + _ROWS]
            found = np.asarray(self._session.run(None, {entry.name: block})[0], dtype=np.float64)
            if found.size != len(block):
                raise ValueError(
                    f"{self.path} gives an array of shape {found.shape} for {len(block):,} events, but a score is one"
                    " number for each: let the model end with it"
                )
            parts.append(found.reshape(len(block)))
        return np.concatenate(parts) if parts else np.empty(0)
