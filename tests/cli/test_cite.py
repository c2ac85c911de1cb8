"""`nplm --cite` and CITATION.cff name the papers and the software, as text and as BibTeX."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

import nplm as package
from nplm._util.citation import PAPERS


def test_all_papers_and_the_software_are_cited_twice(nplm) -> None:
    outcome = nplm("--cite")
    assert outcome.code == 0
    assert outcome.out == f"{package.citation()}\n"
    plain, bibtex = outcome.out.split("BibTeX:")
    for arxiv in ("1806.02350", "1912.12155", "2111.13633", "2204.02317"):
        assert f"arXiv:{arxiv}" in plain
        assert f"{{{arxiv}}}" in bibtex
    assert "nplm-jax" in plain
    assert "@software{nplm-jax," in bibtex


def test_bibtex_is_well_formed(nplm) -> None:
    bibtex = nplm("--cite").out.split("BibTeX:")[1].strip()
    entries = bibtex.split("\n\n")
    assert len(entries) == 1 + len(PAPERS)
    for entry in entries:
        assert re.match(r"@(article|software)\{[\w:-]+,\n", entry)
        assert entry.count("{") == entry.count("}")
        assert entry.endswith(",\n}")


def test_names_are_written_first_name_first() -> None:
    assert "Raffaele Tito D'Agnolo, Andrea Wulzer" in PAPERS[0].plain()


def test_citation_file_agrees() -> None:
    path = Path(__file__).parents[2] / "CITATION.cff"
    references = yaml.safe_load(path.read_text(encoding="utf-8"))["references"]
    papers = {paper.doi: paper for paper in PAPERS}
    assert references
    for reference in references:
        paper = papers[reference["doi"]]
        authors = tuple(f"{a['family-names']}, {a['given-names']}" for a in reference["authors"])
        assert authors == paper.authors
        assert reference["title"] == paper.title
        assert (str(reference["volume"]), reference["start"], reference["year"]) == (
            paper.volume,
            paper.pages,
            paper.year,
        )
        assert paper.arxiv in reference["notes"]
