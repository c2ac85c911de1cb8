"""Sums over events in one dimension as sums over nodes."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.models.kernel.quadrature_1d import Line

WIDTH = 0.5


@pytest.fixture
def events(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.exponential(size=(20_000, 1)), rng.normal(1, 0.5, 20_000)


def functions() -> dict[str, object]:
    return {
        "one": lambda x: np.ones(len(x)),
        "kernel": lambda x: np.exp(-((x[:, 0] - 3) ** 2) / (2 * WIDTH**2)),
        # An exponential of something that changes by several units within a width.
        "density": lambda x: np.exp(2 * np.sin(2 * x[:, 0] / WIDTH)),
    }


@pytest.mark.parametrize("name", functions())
def test_sums_are_those_over_events(name: str, events) -> None:
    x, w = events
    line, g = Line.of(x, WIDTH), functions()[name]
    exact = w @ g(x)
    assert line.weights(x, w) @ g(line.nodes) == pytest.approx(exact, rel=1e-6)
    points, sizes = line.gauss(x, w)
    assert sizes @ g(points) == pytest.approx(exact, rel=1e-6)
    assert len(points) < 600


def test_gauss_keeps_the_signs_and_the_moments(events) -> None:
    x, w = events
    line = Line.of(x, WIDTH)
    for sign in (1, -1):
        mine = sign * w > 0
        points, sizes = line.gauss(x[mine], w[mine])
        assert (sign * sizes > 0).all()
        for degree in range(8):
            # Within a cell polynomials up to degree seven are exact, so those of the line are.
            assert sizes @ points[:, 0] ** degree == pytest.approx(w[mine] @ x[mine, 0] ** degree, rel=1e-11)
    assert len(line.gauss(x, w)[0]) > 8


def test_few_events_of_a_cell_are_kept_as_they_are() -> None:
    x, w = np.array([[0.0], [0.01], [0.03], [2.0], [2.0]]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    points, sizes = Line.of(x, WIDTH).gauss(x, w)
    order = np.argsort(points[:, 0])
    np.testing.assert_allclose(points[order, 0], [0.0, 0.01, 0.03, 2.0], atol=1e-9)
    np.testing.assert_allclose(sizes[order], [1.0, 2.0, 3.0, 9.0], rtol=1e-9)


def test_events_far_from_all_kernels_count_for_nothing() -> None:
    x = np.array([[0.0], [1.0]])
    line = Line.of(x, WIDTH)
    far = np.array([[-100.0], [0.5], [1e9]])
    np.testing.assert_array_equal(line.weights(far, np.ones(3)), line.weights(far[1:2], np.ones(1)))
