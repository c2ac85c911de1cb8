#!/usr/bin/env bash
# jax 0.10.2: the second derivative of x ** jnp.arange(1, 7) at x = 0 is NaN, though value and first derivative are right.
#
# A good guess: powers with whole numbers are polynomials, so that sum_i a_i x^i may be written with an array of exponents.
# Each x**2 with a Python integer has all derivatives, and so has the first derivative with an array of integers. The second
# one is NaN at 0: a Newton step from there is NaN, and the search ends where it began. Horner's scheme has none of this.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import jax
import jax.numpy as jnp

a = jnp.array([0.5, 0.25, 0.1])


def with_array(x):
    return (x ** jnp.arange(1, 4)) @ a


def with_integers(x):
    return a[0] * x + a[1] * x**2 + a[2] * x**3


for name, f in (("array of exponents", with_array), ("integers", with_integers)):
    print("jax", jax.__version__, name, float(f(0.0)), float(jax.grad(f)(0.0)), float(jax.hessian(f)(0.0)))
assert float(with_array(0.0)) == 0.0
assert float(jax.grad(with_array)(0.0)) == 0.5
assert float(jax.hessian(with_integers)(0.0)) == 0.5
assert jnp.isnan(jax.hessian(with_array)(0.0)), "the second derivative with an array of exponents is a number now"
PYTHON
