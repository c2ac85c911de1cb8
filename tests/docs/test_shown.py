"""No command of a document is overlooked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.shown import shown_in

PAGE = """First run `nplm toys
status null`, or ask `nplm --cite`; `nplm test DATA --reference REF` is a pattern, and so is `nplm toys ... -o null`.

    nplm test data.root --where "mll > 60" \\
        -o run

```python
command = '''
    nplm not this
'''
```

    t = -2 min L
    make demo     # makes .venv
    A=1 python program.py
    producer | nplm monitor ref.npz
"""


def test_commands_of_blocks_and_sentences_in_their_order(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    shown = shown_in(page)
    assert [(command.text, command.in_text) for command in shown] == [
        ("nplm toys status null", True),
        ("nplm --cite", True),
        ('nplm test data.root --where "mll > 60" -o run', False),
        ("make demo     # makes .venv", False),
        ("A=1 python program.py", False),
        ("producer | nplm monitor ref.npz", False),
    ]
    assert shown[2].words() == ["nplm", "test", "data.root", "--where", "mll > 60", "-o", "run"]
    assert shown[3].words() == ["make", "demo"]
    with pytest.raises(AssertionError, match=r"page.md:\d+: a pipe"):
        shown[5].words()


def test_blocks_of_a_shell_are_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```bash\nnplm doctor\n```\n")
    with pytest.raises(AssertionError, match="a block of 'bash' may hold commands"):
        shown_in(page)


def test_patterns_take_the_files_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("null-2", "null-1"):
        Path(name).mkdir()
    page = Path("page.md")
    page.write_text("    nplm toys merge null-* peak-* -o null\n")
    (command,) = shown_in(page)
    assert command.words() == ["nplm", "toys", "merge", "null-1", "null-2", "peak-*", "-o", "null"]
