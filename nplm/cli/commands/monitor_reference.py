"""The reference of `nplm monitor`, which may be replaced while windows come."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nplm._util.printable import printable
from nplm.cli.commands.monitor_options import Options
from nplm.cli.errors import CommandError
from nplm.cli.reading import Reader
from nplm.data.sample import Sample

if TYPE_CHECKING:
    from nplm.monitor.monitor import Monitor

# Seconds between two looks at the files of the reference.
_REFERENCE_SECONDS = 0.5


@dataclass
class WatchedReference:
    """The files of the reference, as they were when they were last read, and when they were last looked at."""

    options: Options
    note: Callable[[str], None]
    stamps: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    looked: float = 0.0

    def read(self) -> Sample:
        """The reference as it is now."""
        self.stamps = self._stamps()
        sample = Reader(self.options, self.note).read()[0]
        return replace(sample, name=printable(sample.name))

    def renew(self, monitor: Monitor) -> None:
        """Reads and prepares the reference again, if its files have changed; keeps the former one if they are bad.

        Files that change from one look to the next are still being written, and are left for later looks.
        """
        from nplm.monitor.folder import require_last_line_to_end

        now = time.monotonic()
        if now - self.looked < _REFERENCE_SECONDS:
            return
        self.looked = now
        before, self.seen = self.seen, self._stamps()
        if self.seen == self.stamps or self.seen != before:
            return
        try:
            for path in self._paths():
                require_last_line_to_end(path)
            other = monitor.replace_reference(self.read())
        except (CommandError, ValueError, OSError) as error:
            self.stamps = self.seen
            self.note(f"the reference has changed and cannot be used, so the former one stays: {error}")
            return
        if other:
            self.note(f"the reference has changed and was prepared again ({monitor.fingerprint})")

    def _stamps(self) -> tuple[str, ...]:
        from nplm.monitor.progress import stamp_of

        return tuple(stamp_of(path) for path in self._paths())

    def _paths(self) -> list[Path]:
        """The files, without the tree or group that is named after a colon."""
        from nplm.io.processes import matching_files
        from nplm.io.read import ReadError

        given: list[Path] = []
        for file in self.options.reference:
            try:
                given += map(Path, matching_files(file.path))
            except ReadError:  # a pattern whose files went away has changed, which is said when it is read again
                given.append(Path(file.path))
        return [path if path.exists() else Path(str(path).rpartition(":")[0] or path) for path in given]
