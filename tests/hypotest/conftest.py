"""The fixture `run`: a test whose answers are known."""

from __future__ import annotations

from tests.hypotest.slope_model import run

__all__ = ["run"]
