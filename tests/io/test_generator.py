"""Events of generators: weights by name, particles as lists, and what the header says."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyhepmc
import pytest

from nplm import read_sample
from nplm.io import ReadError

MUONS = [[(30.0, 10.0, 40.0), (-30.0, -10.0, 40.0)], [(35.0, 10.0, -40.0)], [(5.0, 0.0, 1.0), (60.0, 0.0, 0.0)]]
WEIGHTS = [(0.035, 0.033), (-0.035, -0.03), (0.035, 0.04)]


def les_houches(pairs: bool = True) -> str:
    events = []
    for muons, (nominal, varied) in zip(MUONS, WEIGHTS, strict=True):
        beams = [" 1 -1 0 0 501 0 0 0 100 100 0 0 1", " -1 -1 0 0 0 501 0 0 -20 20 0 0 -1"]
        rows = [f" 13 1 1 2 0 0 {px} {py} {pz} {np.sqrt(px**2 + py**2 + pz**2)} 0 0 1" for px, py, pz in muons]
        named = f"<rwgt>\n<wgt id='1001'> {nominal} </wgt>\n<wgt id='1002'> {varied} </wgt>\n</rwgt>\n"
        head = f"{len(rows) + 2} 1 {nominal} 91 .0078 .12"
        events.append("\n".join(["<event>", head, *beams, *rows, (named if pairs else "") + "</event>"]))
    return (
        '<LesHouchesEvents version="3.0">\n<header>\n<initrwgt>\n<weightgroup name="scale" combine="envelope">\n'
        '<weight id="1001"> muR=1   muF=1 </weight>\n<weight id="1002"> muR=2 muF=1 </weight>\n</weightgroup>\n'
        "</initrwgt>\n</header>\n<init>\n2212 2212 6500 6500 0 0 1 1 3 2\n50 0.1 50 1\n20 0.2 20 2\n</init>\n"
        + "\n".join(events)
        + "\n</LesHouchesEvents>\n"
    )


def test_les_houches_events(tmp_path: Path) -> None:
    (tmp_path / "a.lhe").write_text(les_houches())
    with gzip.open(tmp_path / "b.lhe.gz", "wt") as file:
        file.write(les_houches())
    said: list[str] = []
    features = [
        "max(particles.pt[particles.pid == 13])",
        "n = count(particles.status == 1)",
        "scale",
        "particles.eta[2]",
    ]
    for name in ("a.lhe", "b.lhe.gz"):
        sample = read_sample(tmp_path / name, features=features, weights="muR=2 muF=1", notify=said.append)
        exact = [max(np.hypot(px, py) for px, py, _ in muons) for muons in MUONS]
        np.testing.assert_allclose(sample.events[:, 0], exact)
        assert sample.events[:, 1].tolist() == [2, 1, 2]
        np.testing.assert_allclose(sample.events[:, 3], [np.arcsinh(m[0][2] / np.hypot(*m[0][:2])) for m in MUONS])
        assert sample.weights.tolist() == [0.033, -0.03, 0.04]
        assert read_sample(tmp_path / name, features=["scale", "aqcd"], weights="1001").weights[1] == -0.035
        assert read_sample(tmp_path / name, features=["aqcd"]).weights.tolist() == [1, 1, 1]
    assert "process 1: 50 +- 0.1 pb, process 2: 20 +- 0.2 pb; 70 pb in all" in said[0]


def test_hepmc_events(tmp_path: Path) -> None:
    with pyhepmc.open(tmp_path / "a.hepmc", "w") as file:
        run = pyhepmc.GenRunInfo()
        run.weight_names = ["nominal", "muR=2"]
        for muons, weights in zip(MUONS, WEIGHTS, strict=True):
            event = pyhepmc.GenEvent(pyhepmc.Units.GEV, pyhepmc.Units.MM)
            vertex = pyhepmc.GenVertex((0, 0, 0, 0))
            vertex.add_particle_in(pyhepmc.GenParticle((0, 0, 100, 100), 2212, 4))
            for px, py, pz in muons:
                vertex.add_particle_out(pyhepmc.GenParticle((px, py, pz, np.sqrt(px**2 + py**2 + pz**2)), 13, 1))
            event.add_vertex(vertex)
            event.run_info = run
            event.weights = list(weights)
            file.write(event)
    features = ["max(particles.pt[particles.status == 1])", "count(particles.pid == 13)"]
    sample = read_sample(tmp_path / "a.hepmc", features=features, weights="muR=2")
    np.testing.assert_allclose(sample.events[:, 0], [max(np.hypot(px, py) for px, py, _ in muons) for muons in MUONS])
    assert sample.events[:, 1].tolist() == [2, 1, 2]
    assert sample.weights.tolist() == pytest.approx([0.033, -0.03, 0.04])
    assert read_sample(tmp_path / "a.hepmc", features=features, weights="weight").weights[1] == pytest.approx(-0.035)


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.lhe"
    path.write_text(les_houches(pairs=False))
    for how, message in (
        ({}, r"a.lhe holds lists of particles: make features of them, such as max\(particles.pt"),
        ({"features": ["particles.pt"]}, r"'particles.pt' is a list of particles; make one number of it"),
        ({"features": ["scale"], "weights": "1002"}, "no weight column '1002'"),
        ({"features": ["particles.pt[9]"]}, r"particles.pt\[9\] is missing in 3 of 3 events"),
    ):
        with pytest.raises(ReadError, match=message):
            read_sample(path, **how)  # type: ignore[arg-type]
    path.write_text(les_houches()[:900])
    with pytest.raises(ReadError, match=r"a\.lhe"):
        read_sample(path, features=["scale"])
    (tmp_path / "b.hepmc").write_text("not HepMC")
    with pytest.raises(ReadError, match=r"b\.hepmc"):
        read_sample(tmp_path / "b.hepmc", features=["weight"])
