"""Names in a pickle, without unpickling: PyTables keeps lists of names so, and a pickle can run code."""

from __future__ import annotations

import pickletools

# Opcodes that put a name on the stack, and those that only build lists and tuples of names.
_NAMES = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "SHORT_BINSTRING", "BINSTRING"}
_NUMBERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"}
_BUILDING = {"PROTO", "FRAME", "MARK", "LIST", "EMPTY_LIST", "APPEND", "APPENDS", "STOP"}
_BUILDING |= {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}


def pickled_names(pickle: bytes) -> tuple[str, ...] | None:
    """The names and numbers in a pickle of lists, as text in their order; None if it holds anything else.

    The opcodes are read, never followed, so nothing in the pickle can act.
    """
    names: list[str] = []
    try:
        for opcode, value, _ in pickletools.genops(pickle):
            if opcode.name in _NAMES or opcode.name in _NUMBERS:
                names.append(str(value))
            elif opcode.name not in _BUILDING:
                return None
    except (ValueError, UnicodeDecodeError):
        return None
    return tuple(names)
