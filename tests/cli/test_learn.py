"""`nplm learn`: from a YAML file to stored, checked log-ratios."""

from __future__ import annotations

import json
from dataclasses import fields
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from nplm import read_sample
from nplm.learning import read_ratio
from nplm.learning.settings import RatioSettings

pytestmark = pytest.mark.usefixtures("samples")

SETTINGS = "settings: {members: 2, hidden: [3]}\n"
HEAD = "central: central.npz\nweights: w\nfeatures: [x, y]\n" + SETTINGS
SCALE = "nuisances: {scale: {sigma: 0.2, files: {-0.2: down.npz, 0.2: up.npz}, inputs: [x]}}\n"
MEAN = "nuisances: {mean: {sigma: 0.5, weights: {-0.5: w_down, 0.5: w_up}}}\n"


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """x is exponential with a scale, y normal with a mean whose weights are in the central file."""
    rng, n = np.random.default_rng(2), 4000

    def columns(nu: float) -> dict[str, np.ndarray]:
        return {"x": np.exp(nu) * rng.exponential(size=n), "y": rng.normal(size=n), "w": np.full(n, 0.5)}

    central = columns(0.0)
    moved = {f"w_{name}": 0.5 * np.exp(m * central["y"] - m**2 / 2) for name, m in (("down", -0.5), ("up", 0.5))}
    (tmp_path / "in").mkdir()
    np.savez(tmp_path / "in" / "central.npz", **central, **moved)
    np.savez(tmp_path / "in" / "up.npz", **columns(0.2))
    np.savez(tmp_path / "in" / "down.npz", **columns(-0.2))
    np.savez(tmp_path / "in" / "other.npz", x=central["x"], w=central["w"])
    monkeypatch.chdir(tmp_path)


def write(text: str) -> None:
    Path("in/nuisances.yaml").write_text(text)


def test_samples_and_weights_are_learned_stored_and_drawn(nplm) -> None:
    both = SCALE.rstrip("}\n") + "}, " + MEAN.removeprefix("nuisances: {")
    write(HEAD + both.replace("inputs: [x]},", "inputs: [x]},"))
    outcome = nplm("learn", "in/nuisances.yaml", "-o", "out/learned")
    assert outcome.code == 0, outcome.err
    assert "out/learned/scale.npz: scale (sigma 0.2); 2 networks each; all checks passed" in outcome.out
    assert "feature x" in outcome.out
    assert "learning mean from 2 columns of weights" in outcome.err
    central = read_sample("in/central.npz", features=["x", "y"], weights="w")
    for name in ("scale", "mean"):
        assert read_ratio(f"out/learned/{name}.npz", central).nuisances == (name,)
        assert Path(f"out/learned/{name}.png").stat().st_size > 10_000
    # d1 = x - 1 and y.
    events = np.array([[2.0, 0.0], [0.5, 1.0]])
    assert read_ratio("out/learned/scale.npz").basis(events)[:, 0] == pytest.approx([1, -0.5], abs=0.4)
    assert read_ratio("out/learned/mean.npz").basis(events)[:, 0] == pytest.approx([0, 1], abs=0.15)
    # What was learned goes straight into a test, of data whose scale is a sigma away.
    rng = np.random.default_rng(7)
    np.savez("data.npz", x=np.exp(0.2) * rng.exponential(size=2000), y=rng.normal(size=2000))
    kernel = ("--model", "kernel", "--width", "1.5", "--centers", "50", "--toys", "0", "--json")
    reference = ("--reference", "in/central.npz", "--features", "x,y", "--weights", "w")
    outcome = nplm("test", "data.npz", *reference, *kernel, "--nuisances", "out/learned/nuisances.yaml")
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert [entry["name"] for entry in result["nuisances"]["fitted"]] == ["scale", "mean"]
    assert result["nuisances"]["fitted"][0]["nu"] == pytest.approx(0.2, abs=0.1)
    assert abs(result["z"]) < 4
    outcome = nplm("test", "data.npz", *reference, *kernel)
    assert json.loads(outcome.out)["z"] > 4


def test_a_yield_scales_all_samples_alike(nplm) -> None:
    write(HEAD + "expected_yield: 100\n" + SCALE)
    assert nplm("learn", "in/nuisances.yaml", "-o", "out", "--no-plots", "--quiet").err == ""
    # What a killed command has left is removed once the files are whole.
    left, mine = Path("out/.scale-0123456789abcdef.npz"), Path("out/.scale-mine.npz")
    for file in (left, mine):
        file.touch()
    assert nplm("learn", "in/nuisances.yaml", "-o", "out", "--no-plots", "--quiet").err == ""
    assert sorted(p.name for p in Path("out").iterdir()) == [mine.name, "manifest.json", "nuisances.yaml", "scale.npz"]
    ratio = read_ratio("out/scale.npz")
    ratio.require_reference(read_sample("in/central.npz", features=["x", "y"], weights="w").scaled_to(100))
    assert ratio.validation is not None
    assert sum(ratio.validation.curves[0].varied) == pytest.approx(100)


def test_a_failed_check_is_said_and_kept_with_the_ratio(nplm) -> None:
    # Weights that a mean of nu = +-.5 makes, said to be those of a shift that is not even monotonic in nu.
    write(HEAD + "nuisances: {mean: {sigma: 0.5, weights: {0.25: w_down, 0.5: w_up, -0.5: w, -0.25: w_up}}}\n")
    outcome = nplm("learn", "in/nuisances.yaml", "-o", "out", "--no-plots")
    assert outcome.code == 5
    assert "CHECKS FAILED" in outcome.out
    assert "failed its checks" in outcome.err
    assert "no effect" in outcome.err
    with pytest.raises(ValueError, match="failed its checks"):
        read_ratio("out/mean.npz")


def test_a_set_of_weights_becomes_a_few_nuisances(nplm) -> None:
    rng = np.random.default_rng(3)
    with np.load("in/central.npz") as file:
        columns = dict(file)
    # Ten members, as ratios; all move events along y, and by noise that the features do not know.
    noise = 0.01 * rng.normal(size=(10, len(columns["y"])))
    members = {f"pdf_{i + 1}": 1 + 0.1 * rng.normal() * columns["y"] + noise[i] for i in range(10)}
    np.savez("in/central.npz", **columns, **members)
    names = ", ".join(members)
    write(HEAD + f"nuisances: {{pdf: {{set: symmetric hessian, weights: [{names}], relative: yes}}}}\n")
    outcome = nplm("learn", "in/nuisances.yaml", "-o", "out/learned")
    assert outcome.code == 0, outcome.err
    assert "pdf: 1 of 10 directions keep 99." in outcome.err
    assert Path("out/learned/nuisances.yaml").read_text() == "learned:\n- pdf_1.npz\nsigma:\n  pdf_1: 1.0\n"
    assert read_ratio("out/learned/pdf_1.npz").nuisances == ("pdf_1",)


def test_a_set_may_be_a_column_of_arrays(nplm) -> None:
    """Whole, or without its first element, as the central member of a set."""
    rng = np.random.default_rng(3)
    with np.load("in/central.npz") as file:
        columns = dict(file)
    members = 1 + 0.1 * rng.normal(size=6) * columns["y"][:, None] + 0.01 * rng.normal(size=(4000, 6))
    with_central = np.column_stack([np.ones(4000), members])
    np.savez("in/central.npz", **columns, own=members, pdf=with_central)
    told = {}
    for number, weights in enumerate(("own", "'pdf[1:7]'", "[own]", str([f"own[{k}]" for k in range(6)]))):
        entry = f"{{set: symmetric hessian, weights: {weights}, relative: yes}}"
        write(HEAD + f"nuisances:\n  pdf: {entry}\n")
        outcome = nplm("learn", "in/nuisances.yaml", "-o", f"out/{number}", "--no-plots")
        assert outcome.code == 0, outcome.err
        assert "from a set of 6 columns of weights" in outcome.err
        told[weights] = read_ratio(f"out/{number}/pdf_1.npz").basis(np.array([[1.0, 0.5], [2.0, -1.0]]))
    assert all(np.allclose(basis, told["own"], rtol=1e-9) for basis in told.values())


@pytest.mark.parametrize(
    ("text", "code", "culprits"),
    [
        ("[1]", 3, ("nuisances.yaml: it must be keys and values, not [1]",)),
        ("a: [", 3, ("not a YAML file",)),
        (HEAD, 3, ("nuisances is missing; give each with its sigma and its variations",)),
        (HEAD + "nuisances: {}\n", 3, ("nuisances must be one nuisance or more by name",)),
        (HEAD + SCALE + "bins: 3\n", 3, ("unknown key 'bins'",)),
        (HEAD + SCALE + "weights: v\n", 3, ("nuisances.yaml: line 6 repeats the key 'weights' of line 2; keep one",)),
        (
            HEAD + SCALE.replace("sigma: 0.2", "sigma: 0.2, sigma: 0.3"),
            3,
            ("line 5 repeats the key 'sigma' of line 5",),
        ),
        (HEAD + SCALE.replace("-0.2: d", "0.20: d"), 3, ("line 5 repeats the key '0.2' of line 5",)),
        (
            HEAD.replace("central: central.npz\n", "") + SCALE,
            3,
            ("central is missing; give the file of events",),
        ),
        (
            HEAD + SCALE.replace("sigma: 0.2", "sigma: 0"),
            3,
            ("scale.sigma must be a positive number, not 0",),
        ),
        (HEAD + SCALE.replace("sigma: 0.2, ", ""), 3, ("sigma of nuisances.scale is missing; give a positive number",)),
        (HEAD + SCALE.replace("0.2: up", "up: up"), 3, ("a value of nu of 'scale' must be a number",)),
        (
            HEAD + SCALE.replace("files", "file"),
            3,
            ("nuisances.scale has an unknown key 'file'; the keys are",),
        ),
        (
            HEAD + "nuisances: {scale: {sigma: 1}}\n",
            3,
            ("nuisances.scale must be given by its sigma, and either",),
        ),
        (HEAD + SCALE.replace("up.npz", "none.npz"), 3, ("none.npz does not exist",)),
        (
            HEAD + SCALE.replace("up.npz", ""),
            3,
            ("nuisances.yaml: nuisances.scale.files.0.2 must be a text, not nothing",),
        ),
        (HEAD + SCALE.replace("0.2: up", "1.0e+200: up"), 3, ("1e+200 is no value of 'scale' that can be squared",)),
        (
            HEAD + SCALE.replace("inputs: [x]", "inputs: 3"),
            3,
            ("scale.inputs must be a text, or a list",),
        ),
        (
            HEAD + "nuisances: {scale: {sigma: 1, files: {}}}\n",
            3,
            ("scale.files must be one text or more",),
        ),
        (HEAD + "where: 3\n" + SCALE, 3, ("nuisances.yaml: where must be a text, not 3",)),
        (
            HEAD.replace("central: central.npz", "central: {a: b}") + SCALE,
            3,
            ("central must be a text, or a list",),
        ),
        (HEAD.replace("[x, y]", "[]") + SCALE, 3, ("features must be a text, or a list of texts, not []",)),
        (HEAD + SCALE.replace("up.npz", "other.npz"), 3, ("other.npz", "no feature 'y'")),
        (
            HEAD + MEAN.replace("weights:", "relative: 1, weights:"),
            3,
            ("mean.relative must be yes or no",),
        ),
        (
            HEAD + "nuisances: {pdf: {set: pairs, weights: [a, b]}}",
            3,
            ("pdf.set must be hessian, symmetric",),
        ),
        (
            HEAD + "nuisances: {pdf: {set: replicas, weights: []}}",
            3,
            ("nuisances.pdf.weights must be a list of two or more columns, or a column of arrays",),
        ),
        (
            HEAD + "nuisances: {pdf: {set: replicas, weights: 'pdf[2:3]'}}",
            3,
            ("weights of the set 'pdf'", "two or more"),
        ),
        (HEAD + "nuisances: {pdf: {set: replicas, weights: w_up}}", 3, ("central.npz", "len(w_up)")),
        (
            HEAD + "nuisances: {pdf: {set: hessian, weights: [w_up, w_down, w]}}",
            3,
            ("nuisances.yaml: set 'pdf'", "pairs of members, not 3"),
        ),
        (HEAD + MEAN.replace("w_up", "w_upp"), 3, ("no weight column 'w_upp'", "w_up")),
        (HEAD.replace("features: [x, y]\n", "") + MEAN, 3, ("name the features", "w_down")),
        (HEAD + SCALE.replace("sigma", "relative: yes, sigma"), 3, ("relative of nuisances.scale is about columns",)),
        (
            HEAD + SCALE + "pairs: [{nu: {scale: 1}, file: up.npz}]\n",
            3,
            ("pairs.1.nu must be the values of two",),
        ),
        (HEAD.replace("members: 2", "member: 2") + SCALE, 3, ("settings has an unknown key 'member'",)),
        (HEAD.replace("members: 2", "members: 0") + SCALE, 3, ("settings: members",)),
    ],
)
def test_what_is_wrong_is_named(nplm, text: str, code: int, culprits: tuple[str, ...]) -> None:
    write(text)
    outcome = nplm("learn", "in/nuisances.yaml", "-o", "out")
    assert outcome.code == code, outcome.err
    for culprit in culprits:
        assert culprit in outcome.err


def test_plots_in_the_style_of_an_experiment(nplm) -> None:
    write(HEAD + SCALE)
    drawn = []
    for number, style in enumerate((("--style", "CMS"), (), ("--no-plots", "--style", "ATLAS"))):
        assert nplm("learn", "in/nuisances.yaml", *style, "-o", f"out{number}").code == 0
        path = Path(f"out{number}/scale.png")
        drawn.append(path.read_bytes() if path.exists() else None)
    assert drawn[0] != drawn[1]
    assert drawn[2] is None
    outcome = nplm("learn", "in/nuisances.yaml", "--style", "CDF", "-o", "out3")
    assert outcome.code == 2
    assert "--style: there is no style 'CDF'" in outcome.err
    assert not Path("out3").exists()


def test_usage(nplm) -> None:
    assert "FILE is missing" in nplm("learn", "-o", "out").err
    assert "-o is missing" in nplm("learn", "a.yaml").err
    assert nplm("learn", "none.yaml", "-o", "out").code == 3
    Path("occupied").write_text("")
    write(HEAD + SCALE)
    assert nplm("learn", "in/nuisances.yaml", "-o", "occupied").code == 4


def test_no_file_is_replaced_that_was_not_learned(nplm) -> None:
    """Not the samples in a folder that is -o too, nor anything else that is called after a nuisance."""
    write(HEAD + SCALE)
    for name in ("scale.npz", "scale.pdf"):
        Path("out").mkdir(exist_ok=True)
        Path("out", name).write_text("mine")
        outcome = nplm("learn", "in/nuisances.yaml", "-o", "out")
        assert outcome.code == 4
        assert f"out/{name} is not replaced" in outcome.err
        assert "learning" not in outcome.err
        assert Path("out", name).read_text() == "mine"
        Path("out", name).unlink()
    outcome = nplm("learn", "in/nuisances.yaml", "-o", "in")
    assert outcome.code == 4
    assert "in/nuisances.yaml is the file to learn from" in outcome.err
    for _ in range(2):  # what it wrote itself it may replace
        assert nplm("learn", "in/nuisances.yaml", "-o", "out", "--no-plots", "--quiet").code == 0


@pytest.mark.parametrize("name", ["../up", "/tmp/up", "a/b", "a\\b", ".hidden", "..", "'c:up'", "pdf_2", "7"])
def test_names_that_lead_elsewhere_are_refused(nplm, name: str) -> None:
    entries = f"pdf: {{set: replicas, weights: [a, b]}}, {name}: {{sigma: 1, files: {{1: up.npz}}}}"
    write(HEAD + f"nuisances: {{{entries}}}\n")
    before = sorted(Path().rglob("*"))
    outcome = nplm("learn", "in/nuisances.yaml", "-o", "out")
    assert outcome.code == 3
    assert name.strip("'").replace("\\", "") in outcome.err.replace("\\", "")
    assert sorted(Path().rglob("*")) == before


def test_what_the_kept_file_says_otherwise_is_told(nplm) -> None:
    write(HEAD + SCALE)
    command = ("learn", "in/nuisances.yaml", "-o", "out", "--no-plots", "--quiet")
    assert nplm(*command).err == ""
    kept = Path("out/nuisances.yaml").read_text()
    assert nplm(*command).err == ""
    write(HEAD + SCALE.replace("sigma: 0.2", "sigma: 0.1"))
    outcome = nplm(*command)
    assert outcome.code == 0
    assert "out/nuisances.yaml is kept with sigma 0.2 of 'scale', but in/nuisances.yaml says 0.1" in outcome.err
    assert Path("out/nuisances.yaml").read_text() == kept
    Path("out/nuisances.yaml").write_text("normalizations: {lumi: 0.02}\n")
    assert "does not name scale.npz, which was learned" in nplm(*command).err
    Path("out/nuisances.yaml").write_text("sigma: {scale: 0.1, scale: 0.2}\n")
    outcome = nplm(*command)
    assert outcome.code == 3
    assert "out/nuisances.yaml: line 1 repeats the key 'scale' of line 1" in outcome.err


def test_a_member_of_a_set_that_is_too_large_is_named(nplm) -> None:
    with np.load("in/central.npz") as file:
        columns = dict(file)
    np.savez("in/central.npz", **columns, a=columns["w"], b=1e200 * columns["w"])
    write(HEAD + "nuisances: {pdf: {set: replicas, weights: [a, b]}}\n")
    outcome = nplm("learn", "in/nuisances.yaml", "-o", "out")
    assert outcome.code == 3
    assert "the weights of column 'b' of in/central.npz reach 5e+199" in outcome.err


def test_all_that_the_file_may_say_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "nuisances.md").read_text()
    for field in fields(RatioSettings):
        value = list(field.default) if isinstance(field.default, tuple) else field.default
        shown = f"{value:g}" if isinstance(value, float) else value
        assert f"| `{field.name}` | {shown} |" in text
    schema = json.loads(files("nplm").joinpath("schema/learn-1.json").read_text(encoding="utf-8"))
    keys = (*schema["properties"], *schema["$defs"]["nuisance"]["properties"])
    assert [key for key in keys if f"`{key}`" not in text and f"{key}:" not in text] == []
