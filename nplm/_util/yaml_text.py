"""YAML, in which no key may be repeated: of two values PyYAML keeps the last, and says nothing."""

from __future__ import annotations

from typing import Any

import yaml


class RepeatedKeyError(ValueError):
    """Raised when a mapping has a key twice; the message names it and its lines."""


def load_yaml(text: str) -> Any:
    """The document in a text, made of plain values.

    Raises:
        RepeatedKeyError: if a key is repeated.
        yaml.YAMLError, ValueError, RecursionError: if it is no YAML.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _require_distinct_keys(loader, node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _require_distinct_keys(loader: yaml.SafeLoader, root: yaml.Node) -> None:
    waiting, met = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in met:  # an alias
            continue
        met.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[Any, int] = {}
            for key, value in node.value:
                waiting.append(value)
                # What << merges may be overridden on purpose.
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    continue
                name, line = loader.construct_object(key), key.start_mark.line + 1
                if name in lines:
                    raise RepeatedKeyError(f"line {line} repeats the key '{key.value}' of line {lines[name]}; keep one")
                lines[name] = line
