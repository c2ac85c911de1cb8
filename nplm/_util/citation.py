"""What to cite: the papers and the software, as plain text and as BibTeX."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True)
class Paper:
    """A publication, and what it is cited for."""

    key: str
    purpose: str
    authors: tuple[str, ...]
    title: str
    journal: str
    volume: str
    pages: str
    year: int
    arxiv: str
    doi: str

    def plain(self) -> str:
        """One paragraph for people."""
        names = ", ".join(" ".join(reversed(author.split(", "))) for author in self.authors)
        return (
            f'{self.purpose}:\n  {names}, "{self.title}",\n'
            f"  {self.journal} {self.volume} ({self.year}) {self.pages}, arXiv:{self.arxiv}"
        )

    def bibtex(self) -> str:
        """One entry for BibTeX."""
        return _entry(
            "article",
            self.key,
            author=" and ".join(self.authors),
            title=f"{{{self.title}}}",
            journal=self.journal,
            volume=self.volume,
            pages=self.pages,
            year=str(self.year),
            eprint=self.arxiv,
            archiveprefix="arXiv",
            doi=self.doi,
        )


_DAGNOLO_FIVE = ("D'Agnolo, Raffaele Tito", "Grosso, Gaia", "Pierini, Maurizio", "Wulzer, Andrea", "Zanetti, Marco")

PAPERS = (
    Paper(
        "DAgnolo:2018cun",
        "The method",
        ("D'Agnolo, Raffaele Tito", "Wulzer, Andrea"),
        "Learning New Physics from a Machine",
        "Phys. Rev. D",
        "99",
        "015014",
        2019,
        "1806.02350",
        "10.1103/PhysRevD.99.015014",
    ),
    Paper(
        "DAgnolo:2019vbw",
        "Several features, and weight clipping",
        _DAGNOLO_FIVE,
        "Learning Multivariate New Physics",
        "Eur. Phys. J. C",
        "81",
        "89",
        2021,
        "1912.12155",
        "10.1140/epjc/s10052-021-08853-y",
    ),
    Paper(
        "dAgnolo:2021aun",
        "Systematic uncertainties (an imperfect reference)",
        _DAGNOLO_FIVE,
        "Learning New Physics from an Imperfect Machine",
        "Eur. Phys. J. C",
        "82",
        "275",
        2022,
        "2111.13633",
        "10.1140/epjc/s10052-022-10226-y",
    ),
    Paper(
        "Letizia:2022xbe",
        "The kernel model (Falkon)",
        (
            "Letizia, Marco",
            "Losapio, Gianvito",
            "Rando, Marco",
            "Grosso, Gaia",
            "Wulzer, Andrea",
            "Pierini, Maurizio",
            "Zanetti, Marco",
            "Rosasco, Lorenzo",
        ),
        "Learning new physics efficiently with nonparametric methods",
        "Eur. Phys. J. C",
        "82",
        "879",
        2022,
        "2204.02317",
        "10.1140/epjc/s10052-022-10830-y",
    ),
)


def citation() -> str:
    """What to cite, as plain text followed by BibTeX."""
    installed = version("nplm-jax")
    software = f"The software:\n  The nplm developers, nplm-jax (version {installed})"
    entry = _entry("software", "nplm-jax", author="{The nplm developers}", title="{nplm-jax}", version=installed)
    plain = [software, *(paper.plain() for paper in PAPERS)]
    return "\n\n".join([*plain, "BibTeX:", entry, *(paper.bibtex() for paper in PAPERS)])


def _entry(kind: str, key: str, **values: str) -> str:
    lines = [f"  {name:<13} = {{{value}}}," for name, value in values.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])
