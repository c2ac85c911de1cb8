"""How far a monitor is in a stream, and how that is found again where the stream begins anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from nplm.monitor.batch import Batch, Unreadable


class OtherStreamError(ValueError):
    """Raised when a stream that should begin anew is another one."""


@dataclass(frozen=True)
class Position:
    """What was taken from the beginning.

    Arguments:
        events: their number.
        refused: records that could not be read.
        checksum: of the events, see `Batch.checksum`.
    """

    events: int = 0
    refused: int = 0
    checksum: int = 0

    def after(self, item: Batch | Unreadable, features: Sequence[str]) -> Position:
        """The position after an item, whose columns are those features."""
        if isinstance(item, Unreadable):
            return Position(self.events, self.refused + item.record, self.checksum)
        return Position(self.events + len(item), self.refused, item.checksum(features, self.checksum))


def after_position(
    items: Iterable[Batch | Unreadable | None], taken: Position, features: Sequence[str]
) -> Iterator[Batch | Unreadable | None]:
    """What comes after a position in a stream that begins anew.

    Arguments:
        items: of the stream, from its beginning; None, for a pause, is passed on.
        taken: what was taken before.
        features: names of the columns.

    Raises:
        OtherStreamError: if the stream does not begin with the events that were taken.
    """
    passed = Position()
    for item in items:
        if item is None:
            yield None
            continue
        if isinstance(item, Unreadable):
            if item.record and passed.refused < taken.refused:
                passed = passed.after(item, features)
            else:
                yield item
            continue
        former = item.select(slice(0, taken.events - passed.events))
        passed = passed.after(former, features)
        if passed.events == taken.events and passed.checksum != taken.checksum:
            raise OtherStreamError(
                f"the first {taken.events} events of the stream are not those that were taken before"
            )
        if len(former) < len(item):
            yield item.select(slice(len(former), None))
    if passed.events < taken.events:
        raise OtherStreamError(
            f"the stream ends after {passed.events} of the {taken.events} events that were taken before"
        )
