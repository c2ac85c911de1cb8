"""ONNX files written byte by byte, as the format's own package is needed for nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def _varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _value(name: str, *dims: int | str) -> bytes:
    shape = b"".join(_field(1, _field(1 if isinstance(dim, int) else 2, dim)) for dim in dims)
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, shape)))


def _node(operator: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    named = b"".join(_field(1, each) for each in inputs)
    return named + _field(2, output) + _field(4, operator) + attributes


def squared_distance(path: Path, features: int, *, inputs: int = 1, summed: bool = True) -> Path:
    """A model of the squared distance from the origin, or of the squares themselves; one more input is added to it."""
    nodes = [_node("Mul", ["x", "x"], "squares")]
    if inputs == 2:
        nodes.append(_node("Add", ["squares", "other"], "sums"))
    if summed:
        keep = _field(5, _field(1, "keepdims") + _field(3, 0) + _field(20, 2))
        nodes.append(_node("ReduceSum", ["sums" if inputs == 2 else "squares", "axes"], "score", keep))
    axes = _field(1, 1) + _field(2, 7) + _field(8, "axes") + _field(9, np.array([1], dtype="<i8").tobytes())
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "score") + _field(5, axes)
    for name in ("x", "other")[:inputs]:
        graph += _field(11, _value(name, "n", features))
    graph += _field(12, _value("score", "n") if summed else _value("squares", "n", features))
    path.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(2, 13)))
    return path
