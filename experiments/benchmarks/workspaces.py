"""Full likelihoods of workspaces: CPU time of a fit beside pyhf's, and of a fake table with all its walks."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from nplm.channels.campaigns import WalkCampaign
from nplm.channels.graph import compatibility_graph
from nplm.channels.templates import Templates
from nplm.channels.walk import WalkSettings
from nplm.channels.workspace import regions_of_workspace
from nplm.channels.workspace_likelihood import WorkspaceLikelihood
from nplm.nuisance.constraints.pyhf_terms import require_pyhf
from nplm.wording.markdown import markdown_table

# Channels, bins of each, normsys and histosys nuisances; each bin has a staterror and one background is free.
SIZES = ((1, 3, 2, 1), (2, 6, 6, 2), (4, 10, 20, 10))
WALKS = WalkSettings(walkers=10, steps=20)
FITS, FAKES = 25, 2


def workspace(channels: int, bins: int, rates: int, shapes: int, seed: int = 1) -> dict[str, Any]:
    """Two backgrounds that fall by 0.7 from bin to bin, with counts drawn from them."""
    rng = np.random.default_rng(seed)
    expected = 200 * 0.7 ** np.arange(bins) + 2
    documents, observations = [], []
    for number in range(channels):
        samples = []
        for name, share in (("first", 0.6), ("second", 0.4)):
            data = share * expected
            modifiers: list[dict[str, Any]] = [{"name": "free", "type": "normfactor", "data": None}][: name == "first"]
            for i in range(rates):
                size = rng.uniform(0.02, 0.15)
                modifiers.append(
                    {"name": f"rate{i}", "type": "normsys", "data": {"hi": 1 + size, "lo": 1 - 0.9 * size}}
                )
            for i in range(shapes):
                moved = data * rng.normal(0, 0.05, bins)
                ends = {"hi_data": (data + moved).tolist(), "lo_data": (data - moved).tolist()}
                modifiers.append({"name": f"shape{i}", "type": "histosys", "data": ends})
            modifiers.append({"name": f"stat{number}", "type": "staterror", "data": (0.05 * data).tolist()})
            samples.append({"name": name, "data": data.tolist(), "modifiers": modifiers})
        documents.append({"name": f"c{number}", "samples": samples})
        observations.append({"name": f"c{number}", "data": rng.poisson(expected).astype(float).tolist()})
    measurements = [{"name": "fit", "config": {"poi": "signal", "parameters": []}}]
    return {"version": "1.0.0", "channels": documents, "observations": observations, "measurements": measurements}


def run() -> str:
    """A line for each size."""
    rows = [_row(*size) for size in SIZES]
    head = [
        "bins, parameters",
        "fit (ms)",
        "pyhf's fit (ms)",
        "2 log L less pyhf's",
        "fake table, full (s)",
        "simplified (s)",
        "K by kept fits less K by own",
    ]
    return (
        f"CPU time. Fits: {FITS} signals together. A fake table: {WALKS.walkers} walkers of {WALKS.steps} steps over"
        " four templates of two bins each, all in the workspace, so that each set of templates is a new direction; the"
        f" fits along a direction are kept. The median of {FAKES} tables.\n\n" + markdown_table(head, rows)
    )


def _row(*size: int) -> list[str]:
    pyhf = require_pyhf()
    document = workspace(*size)
    likelihood = WorkspaceLikelihood.of(document)
    counts = likelihood.counts
    signals = np.outer(np.linspace(0, 2, FITS), np.sqrt(counts))
    began = time.process_time()
    likelihood.log_likelihood(signals)
    own = (time.process_time() - began) / FITS
    model = pyhf.Workspace(document).model(poi_name=None)
    began = time.process_time()
    twice = pyhf.infer.mle.fit([*counts, *model.config.auxdata], model, return_fitted_val=True)[1]
    theirs = time.process_time() - began
    off = 2 * float(likelihood.log_likelihood(signals[:1])[0]) + float(twice)
    table = regions_of_workspace(document)
    yields = np.zeros((4, len(table)))
    for i, row in enumerate(yields):
        row[[-1 - i % 3, -2 - i % 2]] = 3 + i, 6 - i
    templates, graph = Templates(tuple("abcd"), yields), compatibility_graph(table, "analysis")
    seconds = []
    for likelihoods in ({"workspace": likelihood}, {}):
        campaign = WalkCampaign("fakes", table, templates, graph, WALKS, likelihoods=likelihoods)
        took = []
        for i in range(FAKES):
            began = time.process_time()
            campaign.run([i])
            took.append(time.process_time() - began)
        seconds.append(float(np.median(took)))
    mu = np.linspace(0, 2, FITS)
    kept = likelihood.along(np.sqrt(counts), mu) - likelihood.log_likelihood(signals)
    return [
        f"{len(counts)}, {len(likelihood.truth)}",
        f"{1000 * own:.1f}",
        f"{1000 * theirs:.0f}",
        f"{off:.1e}",
        *(f"{each:.1f}" for each in seconds),
        f"{2 * np.abs(kept).max():.0e}",
    ]
