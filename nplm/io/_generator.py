"""Events of generators: Les Houches files through pylhe, and HepMC files through pyhepmc."""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any
from xml.etree.ElementTree import ParseError

import numpy as np

from nplm.cuts.columns import ReadError, Values
from nplm.cuts.lists import as_lists
from nplm.io._table import Options, Table, decoding

_ERRORS = (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError, RuntimeWarning, EOFError)
_PARTICLES = ("px", "py", "pz", "e", "m", "pid", "status", "pt", "eta", "phi")
_REMEDY = 'of generators need pylhe and pyhepmc; run pip install ".[generators]" in a clone of nplm'
_NO_FEATURES = "lists of particles: make features of them, such as max(particles.pt[particles.pid == 13])"


@dataclass(frozen=True)
class _Event:
    """One event: numbers by name, weights among them, and what each of its particles has, shape (particles,)."""

    numbers: Mapping[str, float]
    particles: Mapping[str, np.ndarray]


@contextmanager
def open_lhe(source: str, options: Options) -> Iterator[Table]:
    """The columns weight, process, scale, aqed and aqcd; weights by their id, and by their text in the header; and
    lists of the particles' px, py, pz, e, m, pid, status, pt, eta and phi."""
    try:
        import pylhe
    except ImportError as error:
        raise ReadError(f"{source}: files {_REMEDY}") from error

    with decoding(source, "Les Houches events", (*_ERRORS, ParseError, struct.error, zlib.error)):
        file = pylhe.LHEFile.fromfile(source)
        first = next(iter(file.events), None)
        if first is None:
            raise ReadError(f"{source} holds no events")
        entries = getattr(getattr(file.header, "initrwgt", None), "entries", ())
        named = [weight for entry in entries for weight in getattr(entry, "weights", [entry])]
        aliases = {_plain(each.name): str(each.id) for each in named if str(each.id) in first.weights}
        aliases = {text: number for text, number in aliases.items() if text and text not in first.weights}

        def events() -> Iterator[_Event]:
            # pylhe warns where a file is cut in the middle, and gives the events before as if they were all.
            with warnings.catch_warnings(action="error", category=RuntimeWarning):
                yield from map(_of_lhe, pylhe.LHEFile.fromfile(source).events)

        yield _table(source, _of_lhe(first), events, aliases, _cross_sections(file.init))


@contextmanager
def open_hepmc(source: str, options: Options) -> Iterator[Table]:
    """The column weight, which is the first one; all weights by name; and lists of the particles' px, py, pz, e, m,
    pid, status, pt, eta and phi."""
    try:
        import pyhepmc
    except ImportError as error:
        raise ReadError(f"{source}: files {_REMEDY}") from error

    with decoding(source, "HepMC", (*_ERRORS, struct.error, zlib.error)):

        def events() -> Iterator[_Event]:
            with pyhepmc.open(source) as file:
                yield from map(_of_hepmc, file)

        first = next(events(), None)
        if first is None:
            raise ReadError(f"{source} holds no events")
        yield _table(source, first, events, {}, "")


def _table(
    source: str, first: _Event, events: Callable[[], Iterator[_Event]], aliases: Mapping[str, str], remark: str
) -> Table:
    lists = tuple(f"particles.{name}" for name in _PARTICLES)

    def parts(wanted: Sequence[str], size: int) -> Iterator[dict[str, Any]]:
        coming = events()
        while found := list(islice(coming, size)):
            yield {name: _column(found, name) for name in wanted}

    def read(wanted: Sequence[str]) -> dict[str, Values]:
        whole = list(parts(wanted, 100_000))
        for name in wanted:
            if name in lists:
                raise ReadError(f"{source}: '{name}' is a list of particles; make one number of it, as max({name})")
        return {name: np.concatenate([part[name] for part in whole]) for name in wanted}

    return Table(
        (*first.numbers, *lists), read, (), aliases, several=_NO_FEATURES, lists=lists, parts=parts, remark=remark
    )


def _column(events: Sequence[_Event], name: str) -> Any:
    if not name.startswith("particles."):
        return np.array([event.numbers.get(name, np.nan) for event in events], dtype=np.float64)
    import awkward as ak

    values = [event.particles[name.removeprefix("particles.")] for event in events]
    return as_lists(ak.unflatten(np.concatenate(values), [len(each) for each in values]))


def _of_lhe(event: Any) -> _Event:
    info = event.eventinfo
    numbers = {"weight": info.weight, "process": info.pid, "scale": info.scale, "aqed": info.aqed, "aqcd": info.aqcd}
    columns = {name: _values(event.particles, name) for name in ("px", "py", "pz", "e", "m", "status")}
    columns["pid"] = _values(event.particles, "id")
    return _Event({**numbers, **{str(key): value for key, value in event.weights.items()}}, _with_angles(columns))


def _values(particles: Iterable[Any], name: str) -> np.ndarray:
    return np.array([getattr(particle, name) for particle in particles], dtype=np.float64)


def _of_hepmc(event: Any) -> _Event:
    weights = [float(weight) for weight in event.weights] or [1.0]
    names = list(event.weight_names) if event.run_info is not None else []
    columns = {
        name: np.array(getattr(event.numpy.particles, of), dtype=np.float64)
        for name, of in (("px", "px"), ("py", "py"), ("pz", "pz"), ("e", "e"), ("m", "generated_mass"))
    }
    columns |= {name: np.array(getattr(event.numpy.particles, name), dtype=np.float64) for name in ("pid", "status")}
    numbers = {"weight": weights[0], **dict(zip(names, weights, strict=False))}
    return _Event(numbers, _with_angles(columns))


def _with_angles(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """With transverse momentum, pseudorapidity (infinite along the beam) and azimuth."""
    pt = np.hypot(columns["px"], columns["py"])
    along = np.copysign(np.inf, columns["pz"])
    eta = np.where(pt > 0, np.arcsinh(columns["pz"] / np.where(pt > 0, pt, 1.0)), along)
    return {**columns, "pt": pt, "eta": eta, "phi": np.arctan2(columns["py"], columns["px"])}


def _plain(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").strip()


def _cross_sections(init: Any) -> str:
    """What the header says of the yield: an event's weight means nothing without it."""
    processes = [(process.procId, process.xSection, process.error) for process in init.procInfo]
    if not processes:
        return ""
    total = sum(section for _, section, _ in processes)
    listed = ", ".join(f"process {number}: {section:g} +- {error:g} pb" for number, section, error in processes)
    return (
        f"the header has {listed}; {total:g} pb in all, which times a luminosity is the yield of all events before cuts"
        f" (weighting strategy {init.initInfo.weightingStrategy})"
    )
