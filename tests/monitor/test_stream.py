"""Streams: batches as they come, records that are bad, and streams that stop in mid-record."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from nplm.monitor.arrow_stream import arrow_batches
from nplm.monitor.batch import Batch, Unreadable
from nplm.monitor.stream import Format, stream_arrivals


class Slow(io.BytesIO):
    """Gives a few bytes at a time, as a pipe may."""

    def read1(self, size: int | None = -1) -> bytes:
        return super().read1(7)


def _lines(data: bytes, **names: str) -> list[Batch | Unreadable]:
    return [a.item for a in stream_arrivals(Slow(data), "jsonl", ["pt", "eta"], **names) if a is not None]


def _events(items: list[Batch | Unreadable]) -> np.ndarray:
    return np.concatenate([i.events for i in items if isinstance(i, Batch)])


def _arrow(batches: list[dict[str, list]]) -> bytes:
    sink = io.BytesIO()
    tables = [pa.RecordBatch.from_pydict(b) for b in batches]
    with pa.ipc.new_stream(sink, tables[0].schema) as writer:
        for table in tables:
            writer.write_batch(table)
    return sink.getvalue()


def test_lines_are_events_or_batches() -> None:
    text = b'{"eta": 2, "pt": 1.5, "other": "x"}\n\n{"pt": [3, null], "eta": [4, NaN], "t": 1}\n{"pt": 5, "eta": 6}'
    assert np.array_equal(_events(_lines(text)), [[1.5, 2], [3, 4], [np.nan, np.nan], [5, 6]], equal_nan=True)


def test_weights_and_times() -> None:
    (batch,) = _lines(b'{"pt": 1, "eta": 2, "w": 0.5, "t": 7}\n', weights="w", time="t")
    assert isinstance(batch, Batch)
    assert (batch.weights[0], batch.times[0]) == (0.5, 7)  # type: ignore[index]


def test_a_stream_that_stops_in_mid_record_keeps_what_came_before() -> None:
    items = _lines(b'{"pt": 1, "eta": 2}\n{"pt": 3, "e')
    assert np.array_equal(_events(items), [[1, 2]])
    assert isinstance(items[-1], Unreadable)
    assert items[-1].message.startswith("the stream stopped in mid-record")


def test_bad_lines_are_named_and_the_others_go_on() -> None:
    bad = ["nonsense", "[1, 2]", '{"pt": 1}', '{"pt": "a", "eta": 1}', '{"pt": [1, 2], "eta": [1]}', "[" * 100_000]
    bad += ['{"pt": 1' + "0" * 400 + ', "eta": 1}', '{"pt": {}, "eta": 1}']
    good = '{"pt": 1, "eta": 2}'
    text = "\n".join(line for b in bad for line in (good, b)) + "\n" + good + "\n"
    items = [a.item for a in stream_arrivals(io.BytesIO(text.encode()), "jsonl", ["pt", "eta"]) if a is not None]
    assert len(_events(items)) == len(bad) + 1
    unreadable = [i for i in items if isinstance(i, Unreadable)]
    assert [u.source for u in unreadable] == [f"stream, line {2 * i}" for i in range(1, len(bad) + 1)]
    assert "it lacks eta" in unreadable[2].message


def test_arrow_batches() -> None:
    data = _arrow([{"eta": [1.0, 2.0], "pt": [3, None]}, {"eta": [5.0], "pt": [6]}])
    items = [a.item for a in stream_arrivals(io.BytesIO(data), "arrow", ["pt", "eta"]) if a is not None]
    assert np.array_equal(_events(items), [[3, 1], [np.nan, 2], [6, 5]], equal_nan=True)


def test_an_arrow_stream_that_stops_in_mid_record() -> None:
    data = _arrow([{"pt": list(range(1000))}] * 3)
    for cut in (0, 3, 200, len(data) // 2, len(data) - 100):
        items = [a.item for a in stream_arrivals(io.BytesIO(data[:cut]), "arrow", ["pt"]) if a is not None]
        assert isinstance(items[-1], Unreadable), cut
        assert "mid-record" in items[-1].message
        assert sum(len(i) for i in items if isinstance(i, Batch)) % 1000 == 0


def test_arrow_batches_come_when_they_are_whole_and_pauses_are_told() -> None:
    """Whatever the pieces: a record batch never waits for bytes that come after it."""
    batches = [{"pt": [1.0, 2.0]}, {"pt": [3.0]}, {"pt": [float(i) for i in range(1000)]}]
    data = _arrow(batches)
    # The end of the stream is a message of 8 bytes.
    ends = [len(_arrow(batches[: n + 1])) - 8 for n in range(3)]
    given = 0

    def fed(step: int) -> Iterator[bytes | None]:
        nonlocal given
        for given in range(step, len(data) + step, step):
            yield data[given - step : given]
            yield None

    for step in (1, 7, 1000):
        items = [(item, given) for item in arrow_batches(fed(step), ["pt"], None, None) if item is not None]
        assert [len(item) for item, _ in items if isinstance(item, Batch)] == [2, 1, 1000]
        assert all(end <= at < end + step for (_, at), end in zip(items, ends, strict=True))


def test_arrow_columns_of_dictionaries_and_of_old_writers() -> None:
    table = pa.RecordBatch.from_pydict({"pt": pa.array([1.5, 2.5, 1.5]).dictionary_encode(), "s": ["a", "bb", "c"]})
    for options in (pa.ipc.IpcWriteOptions(), pa.ipc.IpcWriteOptions(use_legacy_format=True)):
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_batch(table)
            writer.write_batch(table)
        items = [a.item for a in stream_arrivals(io.BytesIO(sink.getvalue()), "arrow", ["pt"]) if a is not None]
        assert np.array_equal(_events(items), [[1.5], [2.5], [1.5]] * 2)


def test_bytes_that_are_no_arrow_are_named() -> None:
    for data in (
        b"{}",
        b"a text that is no Arrow\n" * 100,
        b"\xff" * 300,
        bytes(300),
        b"\xff\xff\xff\xff\x10\0\0\0" + b"\xfe" * 99,
    ):
        (item,) = [a.item for a in stream_arrivals(io.BytesIO(data), "arrow", ["pt"]) if a is not None]
        assert isinstance(item, Unreadable)
        assert not item.record


@pytest.mark.parametrize("kind", ["arrow", "jsonl"])
def test_a_pause_of_a_pipe_gives_what_came_before_it(kind: Format) -> None:
    data = _arrow([{"pt": [1.0, 2.0]}] * 3) if kind == "arrow" else b'{"pt": [1, 2]}\n{"pt": 3}\n{"pt": 4}\n'
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as writer:
        arrivals = stream_arrivals(stream, kind, ["pt"])
        writer.write(data[:-9])
        first = []
        while (arrived := next(arrivals)) is not None:
            first.append(arrived.item)
        assert len(_events(first)) == {"arrow": 4, "jsonl": 3}[kind]
        assert next(arrivals) is None
        writer.write(data[-9:])
        writer.close()
        rest = [a.item for a in arrivals if a is not None]
        assert len(_events([*first, *rest])) == (6 if kind == "arrow" else 4)


def test_a_stream_that_the_system_cannot_read_is_named(tmp_path: Path) -> None:
    number = os.open(tmp_path, os.O_RDONLY)
    for kind in ("arrow", "jsonl"):
        (arrived,) = stream_arrivals(SimpleNamespace(fileno=lambda: number), kind, ["pt"])  # type: ignore[arg-type]
        assert arrived is not None
        assert arrived.item == Unreadable("stream", "the stream cannot be read: Is a directory", record=False)
    os.close(number)


def test_arrow_batches_without_the_features_are_named() -> None:
    data = _arrow([{"eta": ["a"]}])
    for features, words in ((["pt"], "there is no column 'pt'"), (["eta"], "not numbers")):
        (item,) = (a.item for a in stream_arrivals(io.BytesIO(data), "arrow", features) if a is not None)
        assert isinstance(item, Unreadable)
        assert words in item.message


def test_columns_that_are_there_twice_are_named() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1.0]), pa.array([2.0]), pa.array([3.0])], ["pt", "pt", "eta"])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    (item,) = [a.item for a in stream_arrivals(io.BytesIO(sink.getvalue()), "arrow", ["pt"]) if a is not None]
    assert item == Unreadable(
        "stream, batch 1", "stream, batch 1: more than one column is called 'pt'; rename one of them"
    )
    other = [a.item for a in stream_arrivals(io.BytesIO(sink.getvalue()), "arrow", ["eta"]) if a is not None]
    assert np.array_equal(_events(other), [[3.0]])
    (line,) = _lines(b'{"pt": 1, "eta": 2, "pt": 3}\n')
    assert isinstance(line, Unreadable)
    assert "a name comes twice" in line.message


def test_json_is_not_read_as_python() -> None:
    (item,) = _lines(json.dumps({"pt": True, "eta": 1}).encode())
    assert isinstance(item, Batch)
    (item,) = _lines(b'{"pt": __import__("os"), "eta": 1}\n')
    assert isinstance(item, Unreadable)
