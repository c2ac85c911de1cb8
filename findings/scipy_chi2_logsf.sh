#!/usr/bin/env bash
# scipy 1.17.1: chi2.logsf is minus infinity from x = 1480 or so, where p is below the smallest number of float64.
#
# A good guess: logsf is there for p-values that float64 cannot hold, as norm.logsf is, which gives -5005.5 at 100 standard
# deviations. For chi2 it is the logarithm of sf, though: with two degrees of freedom, where log p = -x / 2 exactly, it is
# right to x = 1400 and minus infinity at x = 1480, without a warning.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
"$folder/venv/bin/python" -W error - <<'PYTHON'
import numpy as np
import scipy
from scipy.stats import chi2, norm

for x in (100.0, 1480.0, 1500.0, 1e5):
    print("scipy", scipy.__version__, "chi2.logsf", x, float(chi2.logsf(x, 2)), "exact", -x / 2)
print("norm.logsf(100)", float(norm.logsf(100.0)))
assert abs(chi2.logsf(1400.0, 2) + 700) < 1e-9
assert np.isfinite(norm.logsf(100.0))
assert np.isneginf(chi2.logsf(1480.0, 2)), "chi2.logsf goes on now"
PYTHON
