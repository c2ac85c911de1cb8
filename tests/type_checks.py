"""Arrays of nplm held against their annotations while tests run: `pytest -p tests.type_checks`, for `make test-types`.

An annotation of an array is a promise that mypy does not read: a dtype, and lengths of which those of one name are the
same in a call. Classes, Protocols and Literals mypy does read, and tests give wrong ones to see what is said; they are
left to it. So is, as jaxtyping cannot see it, an annotation with a name that its module has not got when the function
is made: one imported for type checkers alone, or a class further down.
"""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable
from types import CodeType
from typing import Any, get_args

import jax
import jaxtyping
import numpy as np
import pytest
from beartype import BeartypeConf, beartype

# An int may be given where there may be a float beside an array, as mypy has it.
_AS_MYPY_HAS_IT = BeartypeConf(is_pep484_tower=True)
# A function inside of another one is made anew at each call of that one, which takes a millisecond with checks. It gets
# them so often.
_ENOUGH = 100
_jaxtyped = jaxtyping.jaxtyped
_made: Counter[CodeType] = Counter()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Check all that is imported of nplm; files of fixtures import it too."""
    if early := sorted(name for name in sys.modules if name.partition(".")[0] == "nplm"):
        raise RuntimeError(f"imported before arrays could be checked: {', '.join(early)}")
    jaxtyping.install_import_hook("nplm", f"{__name__}.checked")
    jaxtyping.jaxtyped = where_arrays_are  # which the hook writes before each function and class
    sys.setrecursionlimit(2 * sys.getrecursionlimit())  # a call with checks is several


def where_arrays_are(*, typechecker: Callable[..., Any]) -> Callable[[Any], Any]:
    """jaxtyping's decorator, but calls of functions that have no arrays take no more time than usual."""

    def decorate(made: Any) -> Any:
        code = getattr(made, "__code__", None)
        if code and _made[code] == _ENOUGH:
            return made
        has_arrays = False

        def note(function: Callable[..., Any]) -> Callable[..., Any]:
            nonlocal has_arrays
            with_checks = typechecker(function)
            has_arrays |= with_checks is not function
            return with_checks

        usual_init = vars(made).get("__init__")  # of a dataclass, which has checks instead of its class
        with_checks = _jaxtyped(made, typechecker=note)
        if code:
            _made[code] = _made[code] + 1 if has_arrays else _ENOUGH
        elif usual_init and not has_arrays:
            made.__init__ = usual_init
        return with_checks if has_arrays else made

    return decorate


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """What jaxtyping's hook makes of a function that has the annotations of one of nplm."""
    function.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if _holds_arrays(hint)}
    return beartype(function, conf=_AS_MYPY_HAS_IT) if function.__annotations__ else function


def _holds_arrays(hint: object) -> bool:
    if inspect.isclass(hint) and not get_args(hint):
        return issubclass(hint, (jaxtyping.AbstractArray, np.ndarray, jax.Array))
    return any(_holds_arrays(part) for part in get_args(hint))
