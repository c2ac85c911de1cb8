"""ROOT trees and RNTuples, through uproot."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from nplm.cuts.columns import ReadError, Values
from nplm.io._branches import GROUP, LISTS, NUMBER, branch_of, branch_part, branch_values, entry_ranges
from nplm.io._table import Options, Table, decoding

_TREES = ("TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple")

# Trees of NanoAOD that keep books of runs, beside the one with events.
_BOOKS = ("Runs", "LuminosityBlocks", "MetaData", "ParameterSets")

_NO_EVENTS = " holds counts, not events: take the file that it was filled from"


@contextmanager
def open_root(source: str, options: Options) -> Iterator[Table]:
    """The branches of one tree; those with one number for each event are the features."""
    try:
        import uproot
    except ImportError as error:
        raise ReadError(f'{source}: ROOT files need uproot; run pip install ".[root]" in a clone of nplm') from error

    errors = (
        *(OSError, ValueError, KeyError, IndexError, TypeError, NotImplementedError, struct.error, zlib.error),
        *(ImportError, uproot.deserialization.DeserializationError),
    )
    # uproot hands names to fsspec, which may see a protocol in them; a local file is opened as a file.
    local: dict[str, Any] = {} if "://" in source else {"handler": uproot.source.file.MultithreadedFileSource}
    with decoding(source, "ROOT", errors), uproot.open({source: None}, **local) as file:
        tree = file[_tree_name(source, file.classnames(recursive=True, cycle=False), options.tree)]
        branches = {name: branch_of(tree, name) for name in tree.keys(recursive=True)}

        def read(wanted: Sequence[str]) -> dict[str, Values]:
            return {name: branch_values(branches[name], source, name) for name in wanted}

        def parts(wanted: Sequence[str], size: int) -> Iterator[dict[str, Any]]:
            for start in range(0, max(tree.num_entries, 1), size):
                yield {name: branch_part(branches[name], source, name, start, start + size) for name in wanted}

        def stream(wanted: Sequence[str], size: int) -> Iterator[dict[str, Values]]:
            for entries in entry_ranges([branches[name] for name in wanted], tree.num_entries, size):
                yield {name: branch_values(branches[name], source, name, *entries) for name in wanted}

        flat = tuple(name for name, branch in branches.items() if branch.kind == NUMBER)
        left_out = {name: branch.kind for name, branch in branches.items() if branch.kind not in (NUMBER, GROUP)}
        # Event/Event.Weight goes by Event.Weight too, as its branch is called.
        short = Counter(name.rpartition("/")[2] for name in branches)
        paths = {name.rpartition("/")[2]: name for name in branches if "/" in name}
        aliases = {alias: path for alias, path in paths.items() if short[alias] == 1}
        lists = tuple(name for name, branch in branches.items() if branch.kind == LISTS)
        yield Table(
            *(tuple(branches), read, flat, aliases, left_out),
            **{"lists": lists, "parts": parts, "stream": stream, "rows": tree.num_entries},
        )


def _is_histogram(kind: str) -> bool:
    return kind.startswith(("TH1", "TH2", "TH3", "TProfile", "ROOT::RHist"))


def _tree_name(source: str, classes: dict[str, str], wanted: str | None) -> str:
    trees = [name for name, kind in classes.items() if kind in _TREES]
    listed = ", ".join(trees) or "none"
    if wanted is not None:
        name = wanted.strip("/").partition(";")[0]
        if name not in trees:
            counts = f"; the histogram of that name{_NO_EVENTS}" if _is_histogram(classes.get(name, "")) else ""
            raise ReadError(f"{source} has no tree '{wanted}'{counts}; its trees: {listed}")
        return wanted.strip("/")
    if not trees:
        counts = f"; a histogram{_NO_EVENTS}" if any(map(_is_histogram, classes.values())) else ""
        raise ReadError(f"{source} holds no tree of events (it holds: {', '.join(classes) or 'nothing'}){counts}")
    events = [name for name in trees if name not in _BOOKS]
    if len(events) == 1:
        return events[0]
    if len(trees) > 1:
        raise ReadError(f"{source} holds several trees ({listed}); choose one, as in {source}:{trees[0]}")
    return trees[0]
