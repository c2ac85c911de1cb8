#!/usr/bin/env bash
# Writes the files beside it as revision cecec48 writes them, the last before modules were moved: tests/test_release_files.py
# has the present nplm read them, and go on with them. Run from a clone with .venv; it needs no other than that revision.
set -euo pipefail
REVISION=cecec48
here="$(cd "$(dirname "$0")" && pwd)"
root="$(git -C "$here" rev-parse --show-toplevel)"
PYTHON="${PYTHON:-$root/.venv/bin/python}"
tree="$(mktemp -d)"
trap 'git -C "$root" worktree remove --force "$tree/nplm"; rm -rf "$tree"' EXIT
git -C "$root" worktree add --quiet --detach "$tree/nplm" "$REVISION"
export PYTHONPATH="$tree/nplm"
nplm() { "$PYTHON" -m nplm "$@"; }

cd "$here"
find . -mindepth 1 ! -name make.sh -delete
"$PYTHON" - <<'END'
import json

import numpy as np

rng = np.random.default_rng(31)


def write(name, n, scale=1.0, **more):
    columns = {"x": scale * rng.exponential(size=n), "y": rng.normal(size=n)}
    np.savez_compressed(f"{name}.npz", **{k: v.astype(np.float32) for k, v in columns.items()}, **more)


weights = {"w": np.full(800, 0.140625, np.float32)}
write("reference", 800, **weights)
write("up", 800, 1.2, **weights)
write("down", 800, 1 / 1.2, **weights)
write("data", 110, 1.2)
write("other", 150)
# A stream, whose last batch comes in the test.
for i in range(3):
    n = 100 + 5 * i
    batch = {"x": rng.exponential(size=n).round(4).tolist(), "y": rng.normal(size=n).round(4).tolist()}
    with open("batches.jsonl", "a") as stream:
        print(json.dumps(batch), file=stream)
END
cat > learn.yaml <<'END'
central: reference.npz
weights: w
features: [x, y]
settings: {members: 2, hidden: [2], iterations: 40}
nuisances:
  scale: {sigma: 0.18, files: {-0.18: down.npz, 0.18: up.npz}, inputs: [x]}
END
# The commands of tests/test_release_files.py, less -o. What they print with --json is what result.json has.
reference=(--reference reference.npz --features x y --weights w)
kernel=("${reference[@]}" --model kernel --centers 12 --width 0.8 --quiet)
mkdir family widths validate
nplm test data.npz "${kernel[@]}" --toys 10 -o one
nplm test data.npz "${reference[@]}" --family one,all --toys 99 --quiet --json >family/result.json
nplm test data.npz "${reference[@]}" --model kernel --centers 12 --widths 0.8,1.6 --toys 20 --quiet --json >widths/result.json
nplm validate data.npz other.npz --family one --permutations 99 --quiet --json >validate/result.json
nplm toys run "${kernel[@]}" --toys 12 --batch 4 -o null
nplm prepare "${kernel[@]}" -o prepared.npz
nplm learn learn.yaml --no-plots --quiet -o learned || test $? = 5 # a check may fail, with so few events
nplm closure "${kernel[@]}" --signal other.npz --n 20 --toys 50 --ideal none -o closure
# Without the weights, which the batches lack.
head -n 2 batches.jsonl | nplm monitor reference.npz --features x y --stream jsonl --replayed --window 100 --width 0.8 --centers 12 \
  --no-reports --quiet -o monitor || test $? = 7 # an alarm
# Whole results, which Python keeps.
"$PYTHON" - <<'END'
import nplm

reference = nplm.read_sample("reference.npz", features=["x", "y"], weights="w")
data, other = (nplm.read_sample(f"{name}.npz", features=["x", "y"]) for name in ("data", "other"))
kernel = nplm.NPLMTest(reference, nplm.KernelModel(width=0.8, centers=12))
kernel.run(data, toys=10).save("one/saved.npz")
settings = nplm.family.FamilySettings(classes=("one", "all"))
nplm.FamilyTest(reference, data, settings=settings, expected_ratio=1.0).run(resamples=99).save("family/saved.npz")
nplm.MultipleTest(nplm.hypotest.kernel_widths(reference, [0.8, 1.6], nplm.KernelModel(centers=12))).run(data, 20).save("widths/saved.npz")
nplm.validate(data, other, family=["one"], resamples=99).save("validate/saved.npz")
END
# Pages, pictures and tables for people are not read again.
find . \( -name "*.html" -o -name "*.pdf" -o -name "*.png" -o -name "*.csv" -o -name "*.txt" -o -name "*.lock" \) -delete
find . -type d -empty -delete
