#!/usr/bin/env bash
# pyarrow 26.0.1: a file whose name is no UTF-8 is opened by the bytes of its name, and not by the text that Python has.
#
# A good guess: what pathlib and os.listdir give, with surrogates for such bytes, opens the file, as it does with open().
# Arrow encodes the text as UTF-8 and raises UnicodeEncodeError, in which no file is named. os.fsencode(name) opens it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os

import pyarrow as pa
import pyarrow.csv as pacsv

with open(b"run\xff.csv", "w") as file:
    file.write("x\n1\n")
(name,) = [name for name in os.listdir() if name.endswith(".csv")]
print("Python reads", open(name).read().split())
try:
    pacsv.read_csv(name)
except UnicodeEncodeError as error:
    print("pyarrow", pa.__version__, error)
else:
    raise AssertionError("pyarrow opens it by its text now")
print("by bytes", pacsv.read_csv(pa.OSFile(os.fsencode(name))).to_pydict())
PYTHON
