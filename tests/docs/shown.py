"""The commands that a document shows: in blocks, and in the text."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Fenced blocks of other languages may hold commands that nobody would see.
LANGUAGES = {"python", "yaml"}
_PROGRAMS = r"(?:\w+=\S+ +)*(?:nplm|python|python3|make|pip|pytest|mkdocs|jupytext|dask|bash|sh|sbatch|srun|condor_\w+)"
_BLOCK = re.compile(rf"^ {{4}}(?:\$ )?((?:.*\| *)?{_PROGRAMS} .*)$")
_INLINE = re.compile(r"`((?:\w+=\S+ +)*(?:nplm|python)\s[^`]+)`")
# COMMAND, FILE, I/N and so on, or an ellipsis: a pattern, of which the text says what to put in.
_PLACEHOLDER = re.compile(r"(?<![\w=.-])[A-Z]+(?:[/:][A-Z]+)*(?![\w=.-])|\.\.\.")
_SHELL = {"|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>&1"}


@dataclass(frozen=True)
class Shown:
    """A command as it stands in a document.

    Arguments:
        text: the command, on one line.
        place: document and line.
        in_text: it stands within a sentence, where `nplm toys run` may also be a name.
    """

    text: str
    place: str
    in_text: bool

    def words(self) -> list[str]:
        """Its words, with the files of the current folder that patterns match.

        Raises:
            AssertionError: if it takes a shell to run it.
        """
        words = shlex.split(self.text, comments=True)
        assert not _SHELL & set(words), f"{self.place}: a pipe or redirection, which no test can run yet: {self.text}"
        return [found for word in words for found in (_matching(word) or [word])]


def _matching(word: str) -> list[str]:
    return sorted(map(str, Path().glob(word))) if "*" in word else []


def shown_in(document: Path) -> list[Shown]:
    """All commands of a document, in their order.

    Raises:
        AssertionError: if there is a fenced block of a language that is not known here.
    """
    text = document.read_text(encoding="utf-8")
    # The lines keep their numbers.
    for fenced in re.findall(r"^```\w*\n.*?^```$", text, re.MULTILINE | re.DOTALL):
        language = fenced.splitlines()[0].removeprefix("```")
        assert language in LANGUAGES, f"{document.name}: a block of '{language}' may hold commands: indent them instead"
        text = text.replace(fenced, "\n" * fenced.count("\n"))
    joined = re.sub(r" *\\\n *", " ", text)
    commands = []
    for number, line in enumerate(joined.splitlines(), start=1):
        if block := _BLOCK.match(line):
            commands.append((number, block[1], False))
    starts = [0, *(match.end() for match in re.finditer("\n", joined))]
    for inline in _INLINE.finditer(re.sub(r"^ {4}.*$", lambda m: " " * len(m[0]), joined, flags=re.MULTILINE)):
        if not _PLACEHOLDER.search(inline[1]):
            number = sum(start <= inline.start() for start in starts)
            commands.append((number, " ".join(inline[1].split()), True))
    return [Shown(text, f"{document.name}:{number}", in_text) for number, text, in_text in sorted(commands)]


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
