"""What is written at axes in place of the names of features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_LABELS: ContextVar[Mapping[str, str]] = ContextVar("labels", default=MappingProxyType({}))


@contextmanager
def feature_labels(labels: Mapping[str, str]) -> Iterator[None]:
    """Pictures that are drawn inside have these labels at their axes, such as {"mll": "m(ll) [GeV]"}.

    Arguments:
        labels: by the name of the feature; others keep their name.
    """
    token = _LABELS.set({**_LABELS.get(), **labels})
    try:
        yield
    finally:
        _LABELS.reset(token)


def label_of(feature: str) -> str:
    """What to write at the axis of a feature: its label, or else its name."""
    return _LABELS.get().get(feature, feature)


def unit_of(feature: str) -> str:
    """The unit in the brackets that a label ends with: GeV of "m(ll) [GeV]"; empty without."""
    label = label_of(feature)
    return label[label.rindex("[") + 1 : -1].strip() if feature in _LABELS.get() and _ends_with_unit(label) else ""


def _ends_with_unit(label: str) -> bool:
    return label.endswith("]") and "[" in label
