"""`nplm tune`: files, the choice among networks, what is refused, and how it goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from nplm.cli.commands import test_options, tune_options
from nplm.cli.commands.toys import options as toys_options
from nplm.models.network.fit import PreparedNetwork
from nplm.models.network.model import NetworkModel
from nplm.plot import style
from nplm.statistic import FitError
from nplm.stats.ensemble_summary import summarize_toys
from nplm.toys.campaign import SamplerError
from nplm.toys.engines.base import EngineError
from nplm.toys.store import Store, StoreError
from nplm.tuning.path import ClipPath
from nplm.tuning.result import Step, Tuned
from nplm.tuning.tuner import Tuning
from tests.toys.programs import QUICK

pytestmark = pytest.mark.usefixtures("folder")

FILES = ("tune", "--reference", "wref.npz", "--weights", "w", "--features", "x")
FEW = ("--toys", "50")


def synthetic(tuning: Tuning, clip: float | None, is_chi2: bool) -> Tuned:
    """What tuning might have found: t that follows a chi2 whose mean grows with the clip, or has half of its width."""
    k, n = tuning.degrees_of_freedom, tuning.settings.toys
    rng = np.random.default_rng(1)
    clips = (clip or 6.0) * np.array([0.7, 0.84, 1.0, 1.19, 1.41])
    mean = k + 3 * np.log(clips / (clip or 6.0))
    t = mean + (1.0 if is_chi2 else 0.5) * (chi2.ppf(rng.permutation(n)[:, None] / n + 0.5 / n, mean) - mean)
    path = None if clip is None else ClipPath(clips, t, t)
    return Tuned(
        hidden=tuning.model.hidden,
        degrees_of_freedom=k,
        clip=clip,
        interval=None if path is None else path.interval_of(k),
        path=path,
        walk=(Step(4.0, 0.8 * k, 25), Step(6.0, 0.95 * k, 25), Step(9.0, (0.98 if clip is None else 1.1) * k, 25)),
        check=None if clip is None else summarize_toys(t[:, 2]),
        check_t=None if clip is None else t[:, 2],
        clip_biases=tuning.model.clip_biases,
        missed=0.1,
        shortfall=0.05,
        agreeing=0.8,
        seconds=12.0,
    )


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Tuned]]:
    """Makes tuning find given clips, accepted or not, by hidden layers; the results appear in the list it returns."""

    def prepare(**answers: tuple[float | None, bool]) -> list[Tuned]:
        results: list[Tuned] = []

        def run(tuning: Tuning) -> Tuned:
            clip, is_chi2 = answers["h" + "x".join(map(str, tuning.model.hidden))]
            results.append(synthetic(tuning, clip, is_chi2))
            return results[-1]

        monkeypatch.setattr(Tuning, "run", run)
        monkeypatch.setattr(PreparedNetwork, "projected_seconds", lambda *arguments: 1.0)
        return results

    return prepare


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plots are not drawn into files, which takes a second."""
    monkeypatch.setattr(style, "save_figure", lambda figure, path: None)


def test_the_largest_network_that_is_accepted_is_chosen(nplm, found, folder: Path) -> None:
    results = found(h4=(7.0, True), h5x5=(3.2, True), h10=(2.0, False), h1=(None, False))
    outcome = nplm(*FILES, "--hidden", "4", "5x5", "10", "1", "-o", "tuned")
    assert outcome.code == 0, outcome.err
    assert [result.hidden for result in results] == [(4,), (5, 5), (10,), (1,)]
    assert outcome.out.splitlines()[-1] == "take --hidden 5x5 --clip 3.2"
    for result in results:
        assert result.statement() in outcome.out
    document = json.loads((folder / "tuned" / "tune.json").read_text())
    assert document["schema"] == "nplm-tune/1"
    assert document["chosen"] == {"hidden": [5, 5], "clip": 3.2, "clip_biases": True}
    assert [network["hidden"] for network in document["networks"]] == [[4], [5, 5], [10], [1]]
    assert [network["is_chi2"] for network in document["networks"]] == [True, True, False, False]
    assert [network["degrees_of_freedom"] for network in document["networks"]] == [13, 46, 31, 4]
    first = document["networks"][0]
    assert first["scan"]["mean"] == pytest.approx(results[0].path.mean)
    assert first["check"]["mean"] == pytest.approx(results[0].check_t.mean())
    assert first["check"]["given"] is None
    assert document["networks"][2]["clip"] == 2.0, "found, but not a chi2"
    assert document["networks"][3]["scan"] is None
    table = (folder / "tuned" / "tune.md").read_text()
    assert "| network 5x5 | 46 | 3.2 |" in table
    assert "| network 1 | 4 | none |" in table
    assert table.rstrip().endswith("take --hidden 5x5 --clip 3.2")
    plots = {path.name for path in (folder / "tuned").iterdir() if path.suffix == ".png"}
    # Without a clip there are no toys to compare.
    networks = ("tune-4", "tune-5x5", "tune-10")
    assert plots == {*(f"{n}.png" for n in networks), *(f"{n}-qq.png" for n in networks), "tune-1.png"}
    assert all(path.with_suffix(".pdf").exists() for path in (folder / "tuned").glob("*.png"))


@pytest.mark.usefixtures("no_plots")
def test_json_is_what_is_written(nplm, found, folder: Path) -> None:
    found(h4=(7.0, True))
    outcome = nplm(*FILES, "-o", "tuned", "--json", "--quiet")
    assert outcome.err == ""
    assert json.loads(outcome.out) == json.loads((folder / "tuned" / "tune.json").read_text())


@pytest.mark.usefixtures("no_plots")
def test_an_interval_without_an_end_is_no_number_in_json(nplm, found, folder: Path, monkeypatch) -> None:
    found(h4=(7.0, True))
    run = Tuning.run
    monkeypatch.setattr(Tuning, "run", lambda tuning: replace(run(tuning), interval=(0.0, np.inf)))
    assert nplm(*FILES, "-o", "tuned").code == 0
    (network,) = json.loads((folder / "tuned" / "tune.json").read_text())["networks"]
    assert network["interval"] == [0.0, None]


@pytest.mark.usefixtures("no_plots")
def test_no_network_will_do(nplm, found, folder: Path) -> None:
    found(h4=(7.0, False), h2=(None, False))
    outcome = nplm(*FILES, "--hidden", "4", "2", "-o", "tuned")
    assert outcome.code == 0
    assert "none of these networks has a t that is a chi2" in outcome.out.splitlines()[-1]
    assert "no clip was found that makes t a chi2(7): its mean goes from 5.6 at clip 4 to 6.9 at clip 9" in outcome.out
    assert json.loads((folder / "tuned" / "tune.json").read_text())["chosen"] is None


@pytest.mark.usefixtures("no_plots")
def test_the_options_reach_the_tuning(nplm, found, monkeypatch: pytest.MonkeyPatch) -> None:
    found(h4=(7.0, True))
    seen: list[Tuning] = []
    run = Tuning.run
    monkeypatch.setattr(Tuning, "run", lambda tuning: (seen.append(tuning), run(tuning))[1])
    words = ("--toys", "60", "--start", "3.5", "--seed", "5", "--batch", "2", "--pool", "ref.npz")
    assert nplm(*FILES, *words, "-o", "tuned").code == 0
    (tuning,) = seen
    assert (tuning.settings.toys, tuning.settings.start) == (60, 3.5)
    assert (tuning.campaign.seed, tuning.batch, tuning.folder) == (5, 2, Path("tuned/hidden-4"))
    assert "from ref.npz (8000 events)" in tuning.campaign.sampler.describe()
    # A problem has a reference of its own.
    assert nplm("tune", "--problem", "toys.exponential", "--n-reference", "4000", "-o", "problem").code == 0
    assert len(seen[1].campaign.test.reference) == 4000
    assert seen[1].campaign.sampler.describe().startswith("data of toys.exponential with 2000 background events")


@pytest.mark.usefixtures("no_plots")
@pytest.mark.parametrize(("words", "clipped"), [((), True), (("--no-clip-biases",), False)])
def test_biases_may_stay_free(nplm, found, folder: Path, monkeypatch, words: tuple[str, ...], clipped: bool) -> None:
    """At every clip, in the command that is kept, and in what is advised."""
    found(h4=(7.0, True))
    seen: list[Tuning] = []
    run = Tuning.run
    monkeypatch.setattr(Tuning, "run", lambda tuning: (seen.append(tuning), run(tuning))[1])
    outcome = nplm(*FILES, *words, "-o", "tuned")
    assert outcome.code == 0, outcome.err
    (tuning,) = seen
    test = tuning.at_clip(3.0).test
    assert isinstance(test.prepared, PreparedNetwork)
    assert test.model == NetworkModel(clip=3.0, clip_biases=clipped)
    # 1-4-1: four biases of the hidden layer and the one of the output.
    assert np.sum(test.prepared.bound == 3.0) == (13 if clipped else 8)
    assert np.sum(np.isinf(test.prepared.bound)) == (0 if clipped else 5)
    document = json.loads((folder / "tuned" / "tune.json").read_text())
    assert ("--no-clip-biases" in document["command"]) == (not clipped)
    assert document["chosen"]["clip_biases"] == clipped
    assert outcome.out.splitlines()[-1] == " ".join(("take --hidden 4 --clip 7", *words))


@pytest.mark.usefixtures("no_plots")
def test_the_default_seed_is_not_that_of_the_commands_that_check_the_clip(nplm, found, monkeypatch) -> None:
    """Toys of `nplm toys run` and `nplm test` with their defaults are not those that the clip was tuned with."""
    found(h4=(7.0, True))
    seen: list[Tuning] = []
    run = Tuning.run
    monkeypatch.setattr(Tuning, "run", lambda tuning: (seen.append(tuning), run(tuning))[1])
    assert nplm(*FILES, "-o", "tuned").code == 0
    (tuning,) = seen
    assert tuning.campaign.seed == tune_options.SEED == tune_options.Options.seed
    assert tuning.campaign.seed not in (toys_options.RunOptions.seed, test_options.Options.seed)
    others = replace(tuning.campaign, seed=toys_options.RunOptions.seed)
    assert tuning.campaign.draw(0).total_weight != others.draw(0).total_weight


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (FitError("9 of 100 toys failed at clip 7"), 5, "9 of 100 toys failed at clip 7"),
        (EngineError("a worker died"), 6, "a worker died; toys that were done are in tuned"),
        (StoreError("the toys are of another plan"), 4, "the toys are of another plan"),
        (SamplerError("toy 3 is empty", 3), 3, "toy 3 is empty; toys that were done are in tuned"),
        (OSError(28, "No space left on device"), 4, "tuned cannot be written: No space left on device"),
        (OSError(28, "No space left on device", "climbs"), 4, "climbs cannot be written: No space left on device"),
    ],
)
def test_what_fails_ends_the_command_with_what_is_wrong(
    nplm, found, folder: Path, monkeypatch, error: Exception, code: int, message: str
) -> None:
    found(h4=(7.0, True))

    def fail(tuning: Tuning) -> None:
        raise error

    monkeypatch.setattr(Tuning, "run", fail)
    outcome = nplm(*FILES, "-o", "tuned")
    assert outcome.code == code
    assert outcome.out == ""
    assert f"nplm: error: {message}\n" in outcome.err
    assert "Traceback" not in outcome.err
    assert not (folder / "tuned" / "tune.json").exists()


@pytest.mark.parametrize(
    ("words", "culprits"),
    [
        (("tune", "-o", "tuned"), ("--reference", "--problem")),
        (FILES, ("-o",)),
        ((*FILES, "-o", "tuned", "--problem", "toys.exponential"), ("--problem", "--reference")),
        ((*FILES, "-o", "tuned", "--generator", "a:b", "--pool", "ref.npz"), ("--generator", "--pool")),
        ((*FILES, "-o", "tuned", "--dask", "local", "--workers", "2"), ("--dask", "--workers")),
        ((*FILES, "-o", "tuned", "--n-reference", "9"), ("--n-reference", "--problem")),
        ((*FILES, "-o", "tuned", "--toys", "49"), ("--toys", "50 or more", "49")),
        ((*FILES, "-o", "tuned", "--check-toys", "50"), ("--check-toys",)),
        ((*FILES, "-o", "tuned", "--start", "0"), ("--start", "'0'")),
        ((*FILES, "-o", "tuned", "--hidden", "4", "4x0"), ("--hidden", "'4x0'")),
        ((*FILES, "-o", "tuned", "--hidden", "4", "2", "4"), ("--hidden", "4 twice")),
        ((*FILES, "-o", "tuned", "--model", "histogram"), ("--model",)),
        ((*FILES, "-o", "tuned", "--clip", "7"), ("--clip",)),
    ],
)
def test_wrong_usage_is_refused_by_name(nplm, words, culprits) -> None:
    outcome = nplm(*words)
    assert outcome.code == 2
    first, last = outcome.err.splitlines()
    for culprit in culprits:
        assert culprit in first
    assert last == "nplm: all options: nplm tune --help"
    assert not Path("tuned").exists()


def test_bad_input_and_other_folders_are_refused_before_any_toy(nplm, folder: Path) -> None:
    outcome = nplm("tune", "--reference", "missing.npz", "-o", "tuned")
    assert outcome.code == 3
    assert "missing.npz" in outcome.err
    assert not (folder / "tuned").exists()
    (folder / "tuned").mkdir()
    (folder / "tuned" / "thesis.tex").touch()
    outcome = nplm(*FILES, "-o", "tuned")
    assert outcome.code == 4
    assert "tuned holds other files (thesis.tex); choose another -o" in outcome.err
    assert nplm(*FILES, "-o", "data.npz").code == 4


def test_ctrl_c_says_how_to_go_on(nplm, found, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found(h4=(7.0, True))

    def interrupt(tuning: Tuning) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Tuning, "run", interrupt)
    outcome = nplm(*FILES, "-o", "tuned")
    assert outcome.code == 130
    assert outcome.out == ""
    assert "interrupted; the same command goes on with the toys in tuned" in outcome.err
    assert not (folder / "tuned" / "tune.json").exists()


@pytest.mark.slow
def test_from_files_to_a_clip_and_again(nplm, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From end to end with a quick and poor search; the second time nothing is fitted, and the answer is the same."""
    monkeypatch.setattr(NetworkModel, "_optimizer", lambda model, dimension: QUICK.optimizer)
    rng = np.random.default_rng(7)
    np.savez(folder / "wref.npz", x=rng.exponential(size=3000), w=np.full(3000, 0.1))
    np.savez(folder / "data.npz", x=rng.exponential(size=300))
    words = (*FILES, *FEW, "--hidden", "1", "--start", "6", "-o", "tuned")
    outcome = nplm(*words)
    assert outcome.code == 0, outcome.err
    assert "mean t" in outcome.err
    (network,) = json.loads((folder / "tuned" / "tune.json").read_text())["networks"]
    assert network["clip"] is not None, outcome.out
    assert (folder / "tuned" / "tune-1.png").exists()
    assert (folder / "tuned" / "tune-1-qq.pdf").exists()
    store = Store.open(folder / "tuned" / "hidden-1" / f"clip-{network['clip']:.6g}")
    t = store.read().t
    assert len(t) == 50
    # These toys share a reference of 3000 events for 300, whose fluctuation widens t by a tenth.
    assert 1.1 * t.mean() == pytest.approx(network["check"]["mean"])
    assert store.plan.document["seed"] == tune_options.SEED
    assert network["scan"]["corrected"] < 1e-6
    # Its toys calibrate data as any other null toys do.
    data = ("--hidden", "1", "--clip", str(network["clip"]), "--null", str(store.path), "--json")
    tested = nplm("test", "data.npz", *FILES[1:], *data)
    assert tested.code == 0, tested.err
    result = json.loads(tested.out)
    exceeding = np.sum(store.read().t >= result["t"])
    assert result["p_value"] == pytest.approx((1 + exceeding) / (1 + len(store.read())))

    def fit(*arguments: object) -> None:
        raise AssertionError("a toy was fitted again")

    monkeypatch.setattr(PreparedNetwork, "fit", fit)
    monkeypatch.setattr(PreparedNetwork, "fit_from", fit)
    monkeypatch.setattr(PreparedNetwork, "projected_seconds", lambda *arguments: 1.0)
    again = nplm(*words, "--json")
    assert again.code == 0, again.err
    (second,) = json.loads(again.out)["networks"]
    assert {**second, "seconds": 0} == {**network, "seconds": 0}
    # Toys of another seed do not go into the same folder.
    assert nplm(*words, "--seed", "2").code == 4
