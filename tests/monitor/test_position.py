"""A stream that begins anew: what was taken is passed over once, and another stream is refused."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.monitor.batch import Batch, Unreadable
from nplm.monitor.position import OtherStreamError, Position, after_position

_FEATURES = ("pt", "eta")


def _items(sizes: list[int], seed: int = 1) -> list[Batch | Unreadable]:
    """Batches of these sizes, cut from one series of events; 0 stands for a record that cannot be read."""
    rng = np.random.default_rng(seed)
    items: list[Batch | Unreadable] = []
    for number, size in enumerate(sizes):
        events = rng.normal(size=(size, 2))
        items.append(Batch(events, np.ones(size), None, str(number)) if size else Unreadable(str(number), "bad"))
    return items


def _position(items: list[Batch | Unreadable]) -> Position:
    position = Position()
    for item in items:
        position = position.after(item, _FEATURES)
    return position


def test_events_and_records_that_were_taken_are_passed_over_however_they_are_divided() -> None:
    whole = _items([3, 0, 4, 0, 0, 2])
    for cut in range(len(whole) + 1):
        rest = list(after_position(whole, _position(whole[:cut]), _FEATURES))
        assert [(i.source, len(i) if isinstance(i, Batch) else 0) for i in rest] == [
            (i.source, len(i) if isinstance(i, Batch) else 0) for i in whole[cut:]
        ]
    (rest_of_batch,) = after_position(_items([9]), _position(_items([2, 5])), _FEATURES)
    assert isinstance(rest_of_batch, Batch)
    assert np.array_equal(rest_of_batch.events, _items([7, 2])[1].events)  # type: ignore[union-attr]


def test_the_end_of_a_stream_is_no_record() -> None:
    first = [*_items([3]), Unreadable("stream", "stopped in mid-record", record=False)]
    rest = list(after_position(_items([3, 0, 2]), _position(first), _FEATURES))
    assert [item.source for item in rest] == ["1", "2"]


def test_another_stream_and_a_shorter_one_are_refused() -> None:
    taken = _position(_items([3, 4]))
    for other in (_items([3, 4], seed=2), [_items([3, 4])[1], _items([3, 4])[0]]):
        with pytest.raises(OtherStreamError, match="the first 7 events of the stream are not those"):
            list(after_position(other, taken, _FEATURES))
    with pytest.raises(OtherStreamError, match="ends after 3 of the 7 events"):
        list(after_position(_items([3]), taken, _FEATURES))


def test_the_order_of_the_features_does_not_matter() -> None:
    (batch,) = _items([5])
    assert isinstance(batch, Batch)
    turned = Batch(batch.events[:, ::-1], batch.weights, None, "turned")
    assert batch.checksum(("pt", "eta")) == turned.checksum(("eta", "pt"))
    assert batch.checksum(("pt", "eta")) != turned.checksum(("pt", "eta"))
