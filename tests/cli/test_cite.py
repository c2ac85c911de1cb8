"""`nplm --cite` names the papers and the software, as text and as BibTeX."""

from __future__ import annotations

import re

from nplm.cli.cite import PAPERS


def test_all_papers_and_the_software_are_cited_twice(nplm) -> None:
    outcome = nplm("--cite")
    assert outcome.code == 0
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
