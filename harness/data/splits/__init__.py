"""Class splits (base / validation / novel) and the published clip lists that suites are built from.

Three splits ship with the package, ``mmact``, ``utd-mhad`` and ``generated``; any other is a TOML file with three class
lists, and ``directional``: in words, why a mirrored clip may show another class than the recorded one, or "" where
none does.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd

from mmact_oneshot.harness.data.clips import IDENTITY, with_ids
from mmact_oneshot.harness.plugins import registry
from mmact_oneshot.harness.plugins.kinds import SPLIT
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest

ROLES = ("base", "validation", "novel")
SHIPPED = ("mmact", "utd-mhad", "generated")
SPLIT_OF_LAYOUT = {"mmact": "mmact", "mmact-flat": "mmact", "utd-mhad": "utd-mhad"}
GENERATED = "generated"
UNSTATED = "the split does not state whether a class depends on direction"
_FOLDER = resources.files("mmact_oneshot.harness.data.splits")


@dataclass(frozen=True)
class Split:
    """Disjoint class lists.

    Attributes:
        clips: the published clip list (identity columns, ids), where there is one.
        directional: why training clips must not be mirrored; empty where they may. No part of the digest: it says how
            clips may be shown in training, not which are drawn.
    """

    name: str
    source: str
    base: tuple[str, ...]
    validation: tuple[str, ...]
    novel: tuple[str, ...]
    clips: pd.DataFrame | None = None
    directional: str = UNSTATED

    @property
    def classes(self) -> frozenset[str]:
        return frozenset(self.base + self.validation + self.novel)

    def role(self, role: str) -> tuple[str, ...]:
        """Classes of ``base``, ``validation``, ``novel`` or a sum such as ``base+validation``, sorted by name."""
        return tuple(sorted(name for part in role.split("+") for name in getattr(self, part)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the three class lists and, where there is one, of the clip list."""
        content: dict[str, Any] = {role: sorted(getattr(self, role)) for role in ROLES}
        if self.clips is not None:
            content["clips"] = clip_list_digest(self.clips)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def clip_list_digest(clips: pd.DataFrame) -> str:
    """SHA-256 of the sorted clip names."""
    return hashlib.sha256("\n".join(sorted(clips["clip"])).encode()).hexdigest()


def load_split(name: str) -> Split:
    """Load a shipped split or that of an installed package by name, or a user's class lists from a TOML file.

    A package offers a :class:`Split`, made by :func:`parse_split`, in the entry-point group ``mmact_oneshot.splits``.

    Raises:
        HarnessError: unknown name, unreadable file, overlapping or missing class lists. A file without
            validation classes is refused with a proposal, because selection on novel classes is the first of the
            pitfalls this harness exists to prevent.
    """
    if name in SHIPPED:
        return parse_split(tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8")), where=name)
    path = Path(name)
    if name in registry.names(SPLIT):
        split: Split = registry.load(SPLIT, name)
        return split
    if not path.is_file():
        known = [*SHIPPED, *registry.names(SPLIT)]
        raise HarnessError(f"no split {name!r}: neither a known name nor a file.", remedy=nearest(name, known))
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HarnessError(
            f"not TOML ({error}).",
            where=path,
            remedy="Write base = [...], validation = [...], novel = [...].",
        ) from error
    return parse_split({"name": path.stem, **content}, where=str(path))


def default_split(layout: str, generated: Mapping[str, Any] | None) -> str | None:
    """Name of the split that a data set has unless another is named; None where there is none.

    Args:
        generated: as for :func:`clip_list`. Generated data have a split of their own where they have all its classes.
    """
    if generated is not None and load_split(GENERATED).classes <= set(generated["settings"]["classes"]):
        return GENERATED
    return SPLIT_OF_LAYOUT.get(layout)


def clip_list(
    split: Split, generated: Mapping[str, object] | None, found: pd.DataFrame | None, layout: str = ""
) -> pd.DataFrame:
    """The clips from which suites are built: known without the recordings wherever that is possible.

    Generated data lists its clips in its settings, MMAct and UTD-MHAD have published lists (used for a user's own
    split of their classes too), and any other data set is taken as found on disk. Clips of classes outside the split
    are left out (verify counts them).

    Args:
        generated: ``ClipTable.generated``.
        found: ``ClipTable.frame``, or the clips of a store.
        layout: in which they were found.

    Raises:
        HarnessError: the split names classes that the data set does not have.
    """
    if generated is not None:
        from mmact_oneshot.harness.data.synthetic.plan import plan
        from mmact_oneshot.harness.data.synthetic.settings import SyntheticSettings

        clips = plan(SyntheticSettings.from_json(generated))
    elif (published := _published_for(split, layout)) is not None:
        clips = published
    elif found is not None:
        clips = found
    else:
        raise HarnessError(f"split {split.name!r} has no published clip list.", remedy="Name the data set.")
    unknown = sorted(split.classes - set(clips["class_name"]))
    if unknown:
        raise HarnessError(
            f"the split names classes that the data set does not have: {', '.join(unknown)}.",
            where=split.name,
            remedy=nearest(unknown[0], set(clips["class_name"])),
        )
    columns = ["clip", *IDENTITY, "performance"]
    return clips.loc[clips["class_name"].isin(split.classes), columns].sort_values("clip", ignore_index=True)


def _published_for(split: Split, layout: str) -> pd.DataFrame | None:
    """The split's own published clip list, or that of the layout where it has all classes of the split."""
    if split.clips is not None or layout not in SPLIT_OF_LAYOUT:
        return split.clips
    published = load_split(SPLIT_OF_LAYOUT[layout])
    return published.clips if split.classes <= published.classes else None


def parse_split(content: dict[str, Any], where: str) -> Split:
    """A split from the content of a TOML file.

    Args:
        where: for messages.

    Raises:
        HarnessError: an unknown key, a list that is missing, or lists that overlap.
    """
    known = {"name", "source", "directional", *ROLES, *(["clips"] if where in SHIPPED else [])}
    for key in content.keys() - known:
        raise HarnessError(f"unknown key {key!r}.", where=where, remedy=nearest(key, known))
    lists = {role: _class_list(content.get(role, []), role, where) for role in ROLES}
    for role in ("base", "novel"):
        if not lists[role]:
            raise HarnessError(f"no {role} classes.", where=where, remedy=f'Add {role} = ["class", ...].')
    if not lists["validation"]:
        raise HarnessError(
            "no validation classes, so checkpoints could only be chosen on the test classes.",
            where=where,
            remedy=f"Move some base classes to validation before any result is known; a proposal:\n{_proposal(lists)}",
        )
    counts = pd.Series([name for role in ROLES for name in lists[role]]).value_counts()
    if (counts > 1).any():
        raise HarnessError(
            f"listed twice: {', '.join(sorted(counts.index[counts > 1]))}.",
            where=where,
            remedy="The three lists must be disjoint.",
        )
    directional = content.get("directional", UNSTATED)
    if not isinstance(directional, str):
        raise HarnessError(
            "'directional' is not a text.",
            where=where,
            remedy='Write directional = "the reason" where a class depends on left and right, "" where none does.',
        )
    clips = _published_clips(content["clips"]) if "clips" in content else None
    return Split(str(content["name"]), str(content.get("source", where)), **lists, clips=clips, directional=directional)


def _class_list(value: object, role: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise HarnessError(
            f"{role!r} is not a list of class names.", where=where, remedy=f'Write {role} = ["class", ...].'
        )
    return tuple(name.lower() for name in value)


def _proposal(lists: dict[str, tuple[str, ...]]) -> str:
    """A quarter of the base classes, at least five (for 5-way episodes), evenly spread over the order of names."""
    base = sorted(lists["base"])
    count = min(len(base), max(5, len(base) // 4))
    validation = [base[place * len(base) // count] for place in range(count)]
    rest = [name for name in base if name not in validation]
    parts = {"base": rest, "validation": validation, "novel": sorted(lists["novel"])}
    return "\n".join(f"{role} = {json.dumps(names)}" for role, names in parts.items())


def _published_clips(file: str) -> pd.DataFrame:
    """Expand the compact list: a row per performance with the digits of its cameras."""
    with (_FOLDER / file).open("rb") as stream:
        rows = pd.read_csv(stream, compression="gzip", dtype={"cameras": str})
    rows = rows.rename(columns={"class": "class_name"}).assign(camera=rows["cameras"].map(list)).explode("camera")
    return with_ids(rows.astype({"camera": int})[list(IDENTITY)])
