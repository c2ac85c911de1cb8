#!/usr/bin/env bash
# pylhe 2.1.0: of a Les Houches file that ends in the middle of an event the events before are given, and the loop over them
# ends without an error; a RuntimeWarning is all that tells.
#
# A good guess: a file that is no well-formed XML raises an error, as xml.etree does where pylhe parses it. But a job that was
# killed leaves such files, and whoever collects the events has fewer than there were, with sums of weights that are too
# small. The warning must be made an error.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pylhe==2.1.0
cd "$folder"
venv/bin/python - <<'PYTHON'
import warnings
from importlib.metadata import version

import pylhe

EVENT = "<event>\n3 1 0.5 91 .0078 .12\n" + "".join(
    f" {pid} {status} 0 0 0 0 0 0 {pz} 50 0 0 1\n" for pid, status, pz in ((1, -1, 50), (-1, -1, -50), (23, 1, 0))
) + "</event>\n"
HEAD = "<LesHouchesEvents version=\"3.0\">\n<init>\n2212 2212 6500 6500 0 0 1 1 3 1\n50 0.1 50 1\n</init>\n"
whole = HEAD + 5 * EVENT + "</LesHouchesEvents>\n"
for name, text in (("whole.lhe", whole), ("cut.lhe", whole[: len(HEAD) + 3 * len(EVENT) + len(EVENT) // 2])):
    with open(name, "w") as file:
        file.write(text)
found = {}
for name in ("whole.lhe", "cut.lhe"):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        events = list(pylhe.LHEFile.fromfile(name).events)
    found[name] = len(events), [type(each.message).__name__ for each in caught]
print("pylhe", version("pylhe"), found)
assert found["whole.lhe"] == (5, [])
assert found["cut.lhe"] == (3, ["RuntimeWarning"]), "a file that was cut is told of in another way"
PYTHON
