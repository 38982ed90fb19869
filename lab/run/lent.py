"""Episodes that another run played: of variants that are the same in both, such as the control of a sweep."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.record import Episode, read_run

FOLDERS = ("logs", "profiles", "readbacks", "early")


@dataclass(frozen=True)
class Lent:
    """A run that lends its episodes of some variants, which this one then does not play."""

    run: Path
    variants: tuple[str, ...]

    def episodes(self) -> list[Episode]:
        """Those episodes."""
        return [each for each in read_run(self.run).record.episodes if each.variant in self.variants]

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """Their rows of one of TABLES."""
        for row in read_run(self.run).table(table).to_pylist():
            if row["variant"] in self.variants:
                yield row

    def copy_files(self, folder: Path) -> None:
        """Copy their logs, profiles and readbacks into another run's folder."""
        names = {f"{episode.trial}-{episode.variant}" for episode in self.episodes()}
        for kind in FOLDERS:
            for path in (self.run / kind).glob("*"):
                if path.name.removesuffix(".json") in names:
                    place = folder / kind / path.name
                    place.parent.mkdir(parents=True, exist_ok=True)
                    if path.is_dir():
                        shutil.copytree(path, place, dirs_exist_ok=True)
                    else:
                        shutil.copy2(path, place)
