"""Monitor: windows of data against a reference, one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from jaxtyping import ArrayLike

from nplm._util.printable import printable
from nplm.data.coordinates import CoordinateKind
from nplm.data.periods import Circular
from nplm.data.sample import Sample, in_order
from nplm.data.support import Outside, Support
from nplm.family.settings import FamilySettings
from nplm.io.tables import as_sample
from nplm.models.kernel.model import KernelModel
from nplm.monitor.batch import Batch, Unreadable
from nplm.monitor.charts import next_sum
from nplm.monitor.exact_shape import ExactShapeTest
from nplm.monitor.family_shape import FamilyShape
from nplm.monitor.far_events import far_events
from nplm.monitor.finite_shape import FiniteShapeTest
from nplm.monitor.limits import ControlLimits
from nplm.monitor.position import Position
from nplm.monitor.rate import ExpectedRate, rate_of_window
from nplm.monitor.shape_result import ShapeResult
from nplm.monitor.verdict import Status, Verdict
from nplm.monitor.window_checks import examine
from nplm.monitor.words import NO_OVERFLOW, alarm_words, message

# Digits of a reference's fingerprint that a verdict holds.
_FINGERPRINT = 16
# In a cumulative sum a single window counts as no more than this.
_LARGEST_Z = 37.0
# Events where the reference has none have this share of a chart's false alarms.
_SHARE_OF_OUTSIDE = 0.01


@dataclass(frozen=True)
class Sums:
    """The cumulative sums, and how many windows overlap with the last one that they took."""

    shape: float = 0.0
    rate_up: float = 0.0
    rate_down: float = 0.0
    overlapping: int = 0


class Monitor:
    """Tests windows against a reference run: shape and rate, with limits for false alarms, and charts of drifts.

    After each verdict `tested` holds the events whose shape was tested; None if it was not.

    Arguments:
        reference: a Sample, or an array of events of shape (n, d).
        model: one kernel model of all features that shapes are compared with, in place of the family.
        family: which members of the family shapes are compared in; None for all.
        window: events of a window; None for one window a batch (a file).
        step: events from the beginning of a window to that of the next. Default: `window`, so that none overlap.
        limits: the false alarms.
        expected_rate: events that are expected per unit of exposure; None leaves the rate untested.
        reference_exposure: of the reference, whose own count then says what is expected; in place of `expected_rate`.
        exposure: of a batch without times, which is a window of its own.
        least_events: that a window needs to be tested in shape.
        coordinates: what one kernel sees in place of the features, see `coordinates_of`.
        circular: features that are angles, with their periods or None for 2 pi or 360.
        overflow: take features of windows beyond the range of the reference to its edge, for one kernel; a family
            compares ranks, which end there. Verdicts name far events in any case.

    Raises:
        ValueError: if a setting is out of its range, or the reference cannot serve.
    """

    def __init__(
        self,
        reference: Sample | ArrayLike,
        model: KernelModel | None = None,
        *,
        family: FamilySettings | None = None,
        window: int | None = None,
        step: int | None = None,
        limits: ControlLimits | None = None,
        expected_rate: float | None = None,
        reference_exposure: float | None = None,
        exposure: float = 1.0,
        least_events: int = 50,
        coordinates: CoordinateKind = "standardized",
        circular: Circular = (),
        overflow: bool = False,
    ) -> None:
        if window is not None and window < least_events:
            raise ValueError(f"a window of {window} events is below the {least_events} that a test needs: take more")
        if step is not None and window is None:
            raise ValueError("a step is that of windows of a fixed number of events: give the window as well")
        if step is not None and window is not None and not 1 <= step <= window:
            raise ValueError(f"the step must be between 1 and the window, {window}, not {step}")
        if expected_rate is not None and reference_exposure is not None:
            raise ValueError("give the expected rate or the exposure of the reference, not both")
        if least_events < 1:
            raise ValueError(f"a test needs 1 event or more, not {least_events}")
        if model is not None and family is not None:
            raise ValueError("a monitor compares shapes with one kernel model or in a family: give one of them")
        if model is None and coordinates != "standardized":
            raise ValueError("coordinates are those of one kernel model: give the model as well")
        if model is None and overflow:
            raise ValueError(f"{NO_OVERFLOW}: leave it out, or give one kernel model")
        self.model, self.family = model, FamilySettings() if model is None and family is None else family
        self.window, self.step = window, window if step is None else step
        self.limits = limits or ControlLimits()
        self.exposure, self.least_events = exposure, least_events
        self.coordinates, self.circular, self.overflow = coordinates, circular, overflow
        self._rate_of = expected_rate, reference_exposure
        self.row, self.position = 0, Position()
        self.sums = Sums()
        self.tested: Sample | None = None
        self._buffer: Batch | None = None
        self._use(as_sample(reference, name="reference"))

    def _use(self, reference: Sample) -> None:
        expected, counted = self._rate_of
        rate = None if expected is None else ExpectedRate(expected)
        if counted is not None:
            rate = ExpectedRate.of_reference(reference, counted)
        shape: ExactShapeTest | FiniteShapeTest | FamilyShape
        if self.model is not None:
            kernel = ExactShapeTest if self.model.reference_exact else FiniteShapeTest
            shape = kernel.of(
                reference, self.model, self.window, self.coordinates, self.circular, overflow=self.overflow
            )
        else:
            assert self.family is not None
            shape = FamilyShape.of(reference, self.family, self.window, circular=self.circular)
        if self.window is not None and self.limits.drift:  # refuses a reference that is too small
            self.limits.drift_limit(self._tests(rate), self.stride, shape.shared_fluctuation(self.window))
        shape.warm_up()
        self.reference, self.shape, self.rate = reference, shape, rate
        self._support = Support.of(replace(reference, name="the reference"))
        self.fingerprint = _fingerprint(reference)

    def replace_reference(self, reference: Sample) -> bool:
        """Compares from now on with another reference; the cumulative sums begin anew, events that wait are kept.

        Returns:
            Whether it is another; nothing changes if it holds the same events.

        Raises:
            ValueError: if it has other features, or cannot serve; the former reference stays.
        """
        if set(reference.features) != set(self.reference.features):
            raise ValueError(
                f"the new reference has the features {', '.join(reference.features)}, but the monitor compares"
                f" {', '.join(self.reference.features)}"
            )
        if _fingerprint(reference) == self.fingerprint:
            return False
        self._use(in_order(reference, self.reference.features))
        self.sums = Sums()
        return True

    @property
    def stride(self) -> int:
        """Every so many windows have no event in common."""
        return 1 if self.window is None or self.step is None else -(-self.window // self.step)

    @property
    def taken(self) -> int:
        """Events that came."""
        return self.position.events

    @property
    def waiting(self) -> int:
        """Events that wait for their window to fill."""
        return 0 if self._buffer is None else len(self._buffer)

    @property
    def tests(self) -> int:
        """1 for the shape alone, 2 with the rate."""
        return self._tests(self.rate)

    @staticmethod
    def _tests(rate: ExpectedRate | None) -> int:
        return 1 if rate is None else 2

    def watch(
        self, batches: Iterable[Any], *, weights: str | None = None, time: str | None = None
    ) -> Iterator[Verdict]:
        """Verdicts, window after window, as batches come.

        Arguments:
            batches: each a Sample, an array of shape (n, d), or a table or mapping of columns; see `Batch.of`. One that
                does not fit is a verdict, "unreadable".
            weights, time: columns of weights and times, in tables and mappings.
        """
        for number, values in enumerate(batches):
            item: Batch | Unreadable
            if isinstance(values, Unreadable):
                item = values
            else:
                try:
                    item = Batch.of(
                        values, self.reference.features, weights=weights, time=time, source=f"batch {number}"
                    )
                except ValueError as error:
                    item = Unreadable(f"batch {number}", str(error))
            yield from self.push(item)

    def push(self, item: Batch | Unreadable) -> Iterator[Verdict]:
        """The verdicts of the windows that a batch completes; an unreadable one is a verdict of its own.

        Raises:
            ValueError: if the rate is to be tested and windows of a fixed number of events come without times.
        """
        self.position = self.position.after(item, self.reference.features)
        if isinstance(item, Unreadable):
            self.tested = None
            yield self._next(source=item.source, status=item.status, message=item.message, reference=self.fingerprint)
            return
        if self.window is None:
            yield self._judge(item, self.taken - len(item))
            return
        assert self.step is not None
        if self.rate is not None and item.times is None:
            raise ValueError(
                "windows of a fixed number of events have a rate only if the events have times: name their column, or"
                " take one window a file"
            )
        buffer = item if self._buffer is None else self._buffer.followed_by(item)
        begin = 0
        while len(buffer) - begin >= self.window:
            window = buffer.select(slice(begin, begin + self.window))
            first = self.taken - len(buffer) + begin
            begin += self.step
            self._buffer = buffer.select(slice(begin, None))
            yield self._judge(window, first)
        self._buffer = buffer.select(slice(begin, None))

    # Values near the ends of float64 give infinities, which the verdict then speaks of.
    @np.errstate(all="ignore")
    def _judge(self, window: Batch, first: int) -> Verdict:
        began = time.perf_counter()
        examined = examine(window, self.reference, self.least_events)
        problems = list(examined.problems)
        values: dict[str, Any] = {}
        p: list[float] = []
        self.tested = examined.sample
        where: Callable[[], str] = str
        outside: tuple[Outside, ...] = ()
        if examined.sample is not None:
            outside = self._outside(examined.sample)
            shape = self._shape(examined.sample)
            where = shape.where
            if np.isnan(shape.p):
                problems.append(f"the shape cannot be tested: {shape.failure}")
            else:
                problems += [shape.failure] if shape.failure else []
                values |= {"t": shape.t, "p_shape": shape.p, "z_shape": shape.z}
                p.append(shape.p)
            if not np.isnan(shape.mean):
                values |= {"t_mean": shape.mean, "t_sd": shape.sd}
        if self.rate is not None and examined.weights_usable:
            of_rate, why_not = rate_of_window(window, self.rate, self.exposure)
            values |= of_rate
            problems += [why_not] if why_not else []
            p += [of_rate["p_rate"]] if of_rate else []
        if p:
            values["p"] = -np.expm1(len(p) * np.log1p(-min(p))) if min(p) < 1 else 1.0
        alarms, notes, sums = self._charts(values, len(window))
        alarms = (*alarms, *["outside"] * bool(outside))
        status: Status = "alarm" if alarms else "problem" if problems else "ok"
        far = far_events(self._support, window.events, window.weights)
        return self._next(
            source=window.source,
            status=status,
            alarms=alarms,
            message=message(alarm_words(alarms, values, where, outside), problems, [*far.words, *notes]),
            first=first,
            events=len(window),
            yield_=float(np.nansum(window.weights)),
            not_finite=examined.not_finite,
            far=far.events,
            drift_shape=sums.shape,
            drift_rate_up=sums.rate_up,
            drift_rate_down=sums.rate_down,
            reference=self.fingerprint,
            seconds=time.perf_counter() - began,
            **values,
        )

    def _outside(self, window: Sample) -> tuple[Outside, ...]:
        """Events where the reference has none, which kernels hardly see, if they are more than chance gives.

        They have a hundredth of the false alarms, to which they add hardly anything.
        """
        least = np.log(_SHARE_OF_OUTSIDE * self.limits.of_chart(self.tests))
        return tuple(found for found in self._support.outside(window) if found.log_p_value <= least)

    def _shape(self, window: Sample) -> ShapeResult:
        try:
            return self.shape(window)
        except (ValueError, ArithmeticError) as error:
            return ShapeResult(np.nan, np.nan, np.nan, np.nan, np.nan, str(error))

    def _charts(self, values: dict[str, Any], events: int) -> tuple[tuple[str, ...], list[str], Sums]:
        """Which charts fire, remarks, and the sums with this window; those that fire begin anew with the next."""
        alpha = self.limits.of_chart(self.tests)
        alarms = [test for test in ("shape", "rate") if values.get(f"p_{test}", 1.0) <= alpha]
        sums = self.sums
        if not self.limits.drift:
            return tuple(alarms), [], sums
        if sums.overlapping:
            self.sums = replace(sums, overlapping=sums.overlapping - 1)
            return tuple(alarms), [], self.sums
        notes: list[str] = []
        reached = {"shape": sums.shape, "rate_up": sums.rate_up, "rate_down": sums.rate_down}
        left = dict(reached)
        for name, test, sign in (("shape", "shape", 1), ("rate_up", "rate", 1), ("rate_down", "rate", -1)):
            if f"z_{test}" not in values:
                continue
            z = float(np.clip(sign * values[f"z_{test}"], -_LARGEST_Z, _LARGEST_Z))
            left[name] = reached[name] = next_sum(reached[name], z, self.limits.shift / 2)
            try:
                limit = self.drift_limit(test, events)
            except ValueError as error:
                notes.append(f"no {test} drift chart: {error}")
                limit = np.inf
            if reached[name] >= limit:
                left[name] = 0.0
                alarms.append(f"{test} drift")
        self.sums = Sums(left["shape"], left["rate_up"], left["rate_down"], self.stride - 1)
        return tuple(alarms), notes, Sums(reached["shape"], reached["rate_up"], reached["rate_down"])

    def drift_limit(self, test: str, events: int) -> float:
        """h of the drift chart of "shape" or "rate", for windows of so many events.

        Raises:
            ValueError: if the reference is too small for the false alarms that are wanted.
        """
        if test == "shape":
            return self.limits.drift_limit(self.tests, self.stride, self.shape.shared_fluctuation(max(1, events)))
        assert self.rate is not None
        return self.limits.drift_limit(self.tests, self.stride, self.rate.shared_fluctuation(max(1, events)), sides=2)

    def _next(self, source: str, message: str, **values: Any) -> Verdict:
        self.row += 1
        return Verdict(
            row=self.row - 1,
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            source=printable(source),
            message=printable(message),
            **values,
        )

    @property
    def basis(self) -> dict[str, Any]:
        """What Z-scores are made of, and so must stay the same for their sums to go on, as JSON values."""
        expected, exposure = self._rate_of
        return {
            "reference": self.fingerprint,
            "expected rate": expected,
            "reference exposure": exposure,
            "shift": self.limits.shift,
        }

    def state(self) -> tuple[dict[str, Any], Batch | None]:
        """What a restart needs, to go on where this monitor is: JSON values, and events that wait."""
        values = {
            "row": self.row,
            "position": asdict(self.position),
            "sums": asdict(self.sums),
            "basis": self.basis,
            "features": list(self.reference.features),
        }
        return values, self._buffer

    def resume(self, state: dict[str, Any], waiting: Batch | None) -> bool:
        """Goes on where another monitor of the same settings was.

        Returns:
            Whether the cumulative sums go on; they begin anew with another reference, as in `replace_reference`.
        """
        same = bool(state["basis"] == self.basis)
        self.row, self.position = state["row"], Position(**state["position"])
        self.sums = Sums(**state["sums"]) if same else Sums()
        if waiting is not None:
            order = [state["features"].index(name) for name in self.reference.features]
            waiting = replace(waiting, events=waiting.events[:, order])
        self._buffer = waiting
        return same


def _fingerprint(reference: Sample) -> str:
    """The same whatever the order of the features."""
    return in_order(reference, sorted(reference.features)).fingerprint()[:_FINGERPRINT]
