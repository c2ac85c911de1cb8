"""Work that two builds of nplm are timed at: `python work.py NAME` prints CPU seconds and answers, as JSON.

It runs on the nplm that Python finds, by names that both builds have.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from tempfile import TemporaryDirectory

import jax
import numpy as np

from nplm import KernelModel, NetworkModel, NPLMTest, Sample, TwoSampleTest, validate, write_sample

CALLS = 5
Work = Callable[[int], float]


def _correlated(rng: np.random.Generator, n: int) -> np.ndarray:
    """Five unit Gaussians, each pair with correlation 0.4."""
    return rng.normal(size=(n, 5)) @ np.linalg.cholesky(0.4 + 0.6 * np.eye(5)).T


def _mixed(rng: np.random.Generator, n: int) -> np.ndarray:
    """Two exponential features and three normal ones."""
    return np.column_stack([rng.exponential(size=(n, 2)), rng.normal(size=(n, 3))])


def _fits(test: NPLMTest, draw: Callable[[np.random.Generator], np.ndarray]) -> Work:
    return lambda call: float(test.fit([Sample(draw(np.random.default_rng([call, 1])))]).t[0])


def network_in_one_dimension() -> Work:
    """A null toy of the 1-4-1 network, 20,000 reference events and 2000 of data."""
    reference = np.random.default_rng(5).exponential(size=(20_000, 1))
    test = NPLMTest(reference, NetworkModel(), expected_yield=2000, coordinates="raw")
    return _fits(test, lambda rng: rng.exponential(size=(rng.poisson(2000), 1)))


def network_in_five_dimensions() -> Work:
    """A null toy of the 5-5-5-5-1 network, 100,000 reference events and 20,000 of data."""
    reference = _correlated(np.random.default_rng(5), 100_000)
    test = NPLMTest(reference, NetworkModel(hidden=(5, 5, 5), clip=2.15), expected_yield=20_000)
    return _fits(test, lambda rng: _correlated(rng, rng.poisson(20_000)))


def kernel_in_five_dimensions() -> Work:
    """A null toy of one kernel with all defaults, 100,000 reference events and 20,000 of data in five features."""
    reference = _correlated(np.random.default_rng(5), 100_000)
    test = NPLMTest(reference, KernelModel(), expected_yield=20_000)
    return _fits(test, lambda rng: _correlated(rng, rng.poisson(20_000)))


def kernel_with_an_exact_reference() -> Work:
    """The same with two exponential features and three normal ones, and the reference as exact."""
    reference = _mixed(np.random.default_rng(5), 100_000)
    test = NPLMTest(reference, KernelModel(reference_exact=True), expected_yield=20_000)
    return _fits(test, lambda rng: _mixed(rng, rng.poisson(20_000)))


def toys_with_references_of_their_own() -> Work:
    """Sixteen toys of one kernel in one dimension, each with a reference of its own, compilation included."""
    rng = np.random.default_rng(5)
    reference = Sample(rng.exponential(size=(5000, 1)), np.full(5000, 0.2))
    data = Sample(rng.exponential(size=(1000, 1)))

    def work(call: int) -> float:
        jax.clear_caches()  # type: ignore[no-untyped-call]
        return NPLMTest(reference, KernelModel(width=0.7 + 0.1 * call)).run(data, 16, calibrate="toys").p_value

    return work


def two_samples_by_kernels() -> Work:
    """`TwoSampleTest(a, b).run()`, 2500 + 2500 events in three features with another correlation, 199 permutations."""
    return lambda call: float(TwoSampleTest(*_pair(call)).run(resamples=199).statistic)


def two_samples_by_the_family() -> Work:
    """`validate(a, b)` of the same samples, by the family."""
    return lambda call: float(np.log10(validate(*_pair(call)).p_value))


def _pair(call: int) -> tuple[Sample, Sample]:
    rng = np.random.default_rng([call, 3])
    root = np.linalg.cholesky(np.array([[1.0, 0.57, 0.0], [0.57, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    return Sample(rng.normal(size=(2500, 3))), Sample(rng.normal(size=(2500, 3)) @ root.T)


def help_of_the_command() -> Work:
    """`nplm --help`."""
    return lambda call: float(len(_command("--help")) > 0)


def command_in_one_dimension() -> Work:
    """`nplm test` of one kernel, once it has been run before."""
    return _of_files("--width", "2.3", "--toys", "0")


def command_of_three_widths() -> Work:
    """`nplm test` of three widths of kernels without toys, once it has been run before."""
    return _of_files("--widths", "0.3,0.7,2.3", "--toys", "0")


def command_of_the_family() -> Work:
    """`nplm test` with all defaults on the same files."""
    return _of_files()


def _of_files(*options: str) -> Work:
    folder = TemporaryDirectory()
    rng = np.random.default_rng(5)
    reference = Sample(rng.exponential(size=(20_000, 1)), np.full(20_000, 0.1), ("x",))
    write_sample(reference, f"{folder.name}/ref.npz")
    write_sample(Sample(rng.exponential(size=(2000, 1)), features=("x",)), f"{folder.name}/data.npz")

    def work(call: int) -> float:
        files = f"{folder.name}/data.npz", "--reference", f"{folder.name}/ref.npz", "--weights", "weight"
        model = ("--model", "kernel", *options) if options else ()
        answer = json.loads(_command("test", *files, *model, "--json"))
        return float(answer["p_value"])

    return work


def _command(*words: str) -> str:
    return subprocess.run([sys.executable, "-m", "nplm", *words], check=True, capture_output=True, text=True).stdout


def _spent() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def main() -> None:
    """Calls the work once, and then several times with a clock."""
    work: Work = globals()[sys.argv[1]]()
    work(CALLS)
    seconds, answers = [], []
    for call in range(CALLS):
        before = _spent()
        answers.append(work(call))
        seconds.append(_spent() - before)
    memory = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"seconds": seconds, "answers": answers, "gib": memory / 2**20}))


if __name__ == "__main__":
    main()
