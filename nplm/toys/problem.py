"""Problems with known truth: what draws a reference and data, named on the command line by the module it is in."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from nplm.data.sample import Sample, concatenate

if TYPE_CHECKING:
    from nplm.nuisance.nuisances import Nuisances


class ProblemSignal(Protocol):
    """A signal of a problem."""

    @property
    def name(self) -> str:
        """How it is called."""
        ...

    @property
    def expected(self) -> float:
        """How many events it adds, unless another yield is asked for."""
        ...


class Problem(Protocol):
    """Draws references and data whose distributions are known; a module with these names will do."""

    @property
    def SIGNALS(self) -> Mapping[str, Any]:  # noqa: N802
        """The signals by name, each a `ProblemSignal`."""
        ...

    @property
    def EXPECTED_YIELD(self) -> float:  # noqa: N802
        """Expected number of background events, unless another is asked for."""
        ...

    def draw_reference(self, rng: np.random.Generator, n_reference: int, expected_yield: float = ...) -> Sample:
        """A reference of n_reference events, each of weight expected_yield / n_reference."""
        ...

    def draw_data(
        self,
        rng: np.random.Generator,
        expected_yield: float = ...,
        signal: Any = None,
        signal_yield: float | None = None,
    ) -> Sample:
        """Poisson(expected_yield) background events and Poisson(signal_yield) signal events."""
        ...


class ProblemWithNuisances(Problem, Protocol):
    """A problem that also draws data at other values of nuisances."""

    @property
    def NUISANCES(self) -> Sequence[str]:  # noqa: N802
        """Their names."""
        ...

    def draw_data(
        self,
        rng: np.random.Generator,
        expected_yield: float = ...,
        signal: Any = None,
        signal_yield: float | None = None,
        nu: Mapping[str, float] = ...,
    ) -> Sample:
        """Data at the true nu (by name, 0 for those that are not named), where expected_yield is that at nu = 0."""
        ...


def load(name: str) -> Any:
    """What MODULE, or MODULE:NAME, stands for; modules in the current folder are found too.

    Raises:
        ValueError: if there is no such module, or nothing of that name in it.
    """
    module_name, _, attribute = name.partition(":")
    # The folder of an installed program is searched, but not the one its user stands in.
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    # The module is the user's: whatever goes wrong in it, the message must say in which.
    except Exception as error:
        raise ValueError(f"'{name}' cannot be imported: {str(error) or type(error).__name__}") from error
    finally:
        with suppress(ValueError):  # the module itself may have changed the list
            sys.path.remove(here)
    try:
        return getattr(module, attribute) if attribute else module
    except AttributeError:
        raise ValueError(f"the module {module_name} has no '{attribute}'") from None


def load_made(name: str, what: str, made: Callable[[Any], bool]) -> Any:
    """What MODULE:NAME stands for, or what the function of that name makes.

    Arguments:
        name: MODULE:NAME.
        what: it is to be, in the plural.
        made: whether an object is that already.

    Raises:
        ValueError: if there is nothing of that name, or the function fails.
    """
    found = load(name)
    if made(found) or not callable(found):
        return found
    try:
        return found()
    # The function is the user's: whatever goes wrong in it, the message must say in which.
    except Exception as error:
        raise ValueError(f"'{name}' made no {what}: {str(error) or type(error).__name__}") from error


def load_problem(name: str) -> Problem:
    """The problem that MODULE, or MODULE:NAME, stands for.

    Raises:
        ValueError: if there is none.
    """
    problem: Problem = load(name)
    lacking = [n for n in ("SIGNALS", "EXPECTED_YIELD", "draw_reference", "draw_data") if not hasattr(problem, n)]
    if lacking:
        raise ValueError(f"'{name}' is not a problem to draw toys from: it has no {', '.join(lacking)}")
    return problem


def require_signal(problem: Problem, name: str, of: str) -> ProblemSignal:
    """The signal of that name.

    Raises:
        ValueError: if the problem has no such signal.
    """
    if name not in problem.SIGNALS:
        raise ValueError(f"{of} has no signal '{name}': choose {' or '.join(problem.SIGNALS)}")
    signal: ProblemSignal = problem.SIGNALS[name]
    return signal


def require_nu(problem: Problem, nu: Mapping[str, float], of: str) -> dict[str, float]:
    """What moves the data of a problem: the values of nuisances without those that are 0.

    Raises:
        ValueError: if the problem cannot draw data there.
    """
    moved = {name: value for name, value in nu.items() if value != 0}
    known = tuple(getattr(problem, "NUISANCES", ()))
    for name, value in moved.items():
        if name not in known:
            has = f"its NUISANCES are {', '.join(known)}" if known else "it has no NUISANCES"
            raise ValueError(f"{of} cannot draw data at {name} = {value:g}: {has}")
    return moved


def load_nuisances(name: str) -> Nuisances:
    """The nuisances that MODULE:NAME stands for, or that the function of that name makes.

    Raises:
        ValueError: if there are none.
    """
    from nplm.nuisance.nuisances import Nuisances

    found = load_made(name, "nuisances", lambda each: isinstance(each, Nuisances))
    if not isinstance(found, Nuisances):
        raise ValueError(
            f"'{name}' is of type {type(found).__name__}: it must be Nuisances, or a function that makes them"
        )
    return found


@dataclass(frozen=True)
class ProblemData:
    """Draws data of a problem, for a `GeneratorSampler`; known by its name, so it can be sent to other processes.

    Arguments:
        problem: MODULE or MODULE:NAME.
        expected_yield: expected number of background events.
        signal: name of the signal to add; None for data that follow the reference.
        signal_yield: its expected number of events; None for the signal's own.
        events: draw exactly so many events in all (shape-only tests) instead of a Poisson number.
        nu: the true nuisances that are not 0, each with its value; see `ProblemWithNuisances`.
    """

    problem: str
    expected_yield: float
    signal: str | None = None
    signal_yield: float | None = None
    events: int | None = None
    nu: tuple[tuple[str, float], ...] = ()

    def __call__(self, rng: np.random.Generator) -> Sample:
        problem = load_problem(self.problem)
        signal = None if self.signal is None else require_signal(problem, self.signal, self.problem)

        def draw() -> Sample:
            if not self.nu:
                return problem.draw_data(rng, self.expected_yield, signal, self.signal_yield)
            moving = cast("ProblemWithNuisances", problem)
            return moving.draw_data(rng, self.expected_yield, signal, self.signal_yield, nu=dict(self.nu))

        if self.events is None:
            return draw()
        drawn = draw()
        while len(drawn) < self.events:
            drawn = concatenate([drawn, draw()])
        # The signal's events stand together, so that the first events would not be a fair choice.
        return drawn.select(rng.permutation(len(drawn))[: self.events])

    def settings(self) -> dict[str, Any]:
        """What decides about the toys."""
        settings = asdict(self)
        nu = settings.pop("nu")
        return {**settings, "nu": dict(nu)} if nu else settings

    def describe(self) -> str:
        """For the report."""
        background = f"data of {self.problem} with {self.expected_yield:g} background events expected"
        if self.signal is None:
            return background
        signal = require_signal(load_problem(self.problem), self.signal, self.problem)
        expected = signal.expected if self.signal_yield is None else self.signal_yield
        return f"{background} and {expected:g} of the signal '{self.signal}'"


@dataclass(frozen=True)
class ProblemReference:
    """Draws references of a problem, for a `GeneratorSampler`; see `ProblemData`."""

    problem: str
    n_reference: int
    expected_yield: float

    def __call__(self, rng: np.random.Generator) -> Sample:
        return load_problem(self.problem).draw_reference(rng, self.n_reference, self.expected_yield)

    def settings(self) -> dict[str, Any]:
        """What decides about the references."""
        return asdict(self)

    def describe(self) -> str:
        """For the report."""
        return f"{self.n_reference} events of {self.problem}"


@dataclass(frozen=True)
class NamedGenerator:
    """A function that draws a toy with a NumPy generator, known by its name, so it can be sent to other processes.

    Arguments:
        name: MODULE:FUNCTION.
    """

    name: str

    def settings(self) -> dict[str, Any]:
        """What decides about the toys."""
        return asdict(self)

    def __call__(self, rng: np.random.Generator) -> Any:
        function = load(self.name)
        if ":" not in self.name or not callable(function):
            raise ValueError(f"'{self.name}' is not a function: name it as MODULE:FUNCTION")
        return function(rng)
