#!/usr/bin/env bash
# threadpoolctl 3.8.0 with the OpenBLAS of NumPy's wheels: of two Python threads that limit BLAS at once, the one that came
# second loses its limit when the first leaves its own, inside its with block, without an error or a warning.
#
# A good guess: `with threadpool_limits(1)` holds until the end of the block, for the thread that says so or for the whole
# process, as OpenBLAS has one pool of threads for all. In a thread pool, such as that of concurrent.futures, matrix products
# depended on the number of threads in spite of it, by chance.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check threadpoolctl==3.8.0 numpy==2.4.6
OPENBLAS_NUM_THREADS=2 "$folder/venv/bin/python" - <<'PYTHON'
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import threadpoolctl

controller = threadpoolctl.ThreadpoolController()
first_is_in, second_is_in, first_is_out = Event(), Event(), Event()


def threads() -> list[int]:
    return [library["num_threads"] for library in controller.info() if library["user_api"] == "blas"]


def first() -> None:
    with controller.limit(limits=1, user_api="blas"):
        first_is_in.set()
        second_is_in.wait(10)
    first_is_out.set()


def second() -> tuple[list[int], list[int]]:
    first_is_in.wait(10)
    with controller.limit(limits=1, user_api="blas"):
        before = threads()
        second_is_in.set()
        first_is_out.wait(10)
        return before, threads()


print("threadpoolctl", threadpoolctl.__version__, "numpy", np.__version__)
with ThreadPoolExecutor(2) as pool:
    pool.submit(first)
    before, after = pool.submit(second).result()
print("threads inside the second limit:", before, "and once the first has ended:", after)
assert before == [1] and after == [2], "the limit of the second thread no longer ends with that of the first"
PYTHON
