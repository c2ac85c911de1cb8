#!/usr/bin/env bash
# awkward 2.14.0: a mask of lists whose lists are shorter than those it masks is taken, without an error or a warning.
#
# A good guess: as in NumPy, where a boolean mask must have the length of what it masks, ak.Array[mask] would refuse lists
# of other lengths. It does where a mask is too long, or a whole array has another number of lists. Where a list of the mask
# is shorter, the values beyond it are dropped, as if the mask said False there: muons masked by a condition on jets give
# some muons. ak.num of both must be compared first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check awkward==2.14.0 awkward-cpp==57 numpy==2.3.5
"$folder/venv/bin/python" - <<'PYTHON'
import awkward as ak
import numpy as np

values = ak.Array([[1.0, 2.0, 3.0], [4.0, 5.0]])
short = ak.Array([[True, True], [True]])
found = values[short].to_list()
print("awkward", ak.__version__, "values[short mask] =", found)
assert found == [[1.0, 2.0], [4.0]], "the short mask is no longer taken as it was"
try:
    values[ak.Array([[True, True, True, True], [True, True]])]
except IndexError:
    print("a mask that is too long is an IndexError")
else:
    raise SystemExit("a mask that is too long is no longer refused")
try:
    np.array([1.0, 2.0, 3.0])[np.array([True, True])]
except IndexError:
    print("NumPy refuses a short mask")
else:
    raise SystemExit("NumPy takes short masks too")
PYTHON
