"""Every kind of defect that recordings are known to have: the rule by which it is handled, and the remedy."""

from __future__ import annotations

from dataclasses import dataclass

from mmact_oneshot.harness.data.clips import Defect


@dataclass(frozen=True)
class Rule:
    """What is done about one kind of defect; ``unusable`` where a recording is lost by it."""

    rule: str
    remedy: str
    unusable: bool = False


_FETCH = "Copy or download the file again."

RULES: dict[str, Rule] = {
    # met while the names are read
    "capitalised-name": Rule("The name is read in lower case.", "Rename it to lower case, or leave it."),
    "name-not-understood": Rule("The file is left out.", "Rename it as the layout prescribes, or remove it."),
    "duplicate-clip": Rule("The first in order of path is kept.", "Remove the copy."),
    "duplicate-sensor-file": Rule("The first in order of path is kept.", "Remove the copy."),
    "other-video-not-used": Rule(
        "Of several recordings of a clip one is used: colour, then depth video, then depth in millimetres.",
        "None needed; remove the preferred files to use the others.",
    ),
    "file-not-used": Rule("The file is left out.", "None needed if it is no recording of this data set."),
    "camera-missing": Rule("The other cameras of the performance are used.", "Get the missing videos."),
    "sensor-missing": Rule("The sensor counts as absent (masked).", "Get the missing sensor file."),
    "sensor-missing-everywhere": Rule(
        "The sensor counts as absent (masked) in every clip.",
        "Unpack the archive of this sensor under the root.",
    ),
    "performance-without-video": Rule("The performance makes no clip.", "Get the missing videos."),
    # met while sensor files are read
    "sensor-file-empty": Rule("The sensor counts as absent (masked).", "Get the file again, if it is not empty there."),
    "sensor-file-not-csv": Rule(
        "The sensor counts as absent (masked).",
        "Give four columns: time as YYYYMMDD_HH:MM:SS.ffffff, then x, y, z.",
        unusable=True,
    ),
    "sensor-file-unreadable": Rule("The sensor counts as absent (masked).", _FETCH, unusable=True),
    "row-unreadable": Rule("The rows are left out.", "Mend the rows, or leave them."),
    "time-far-off": Rule(
        "Rows more than ten minutes from the median time of their file are left out.", "Mend the stamps."
    ),
    "time-fraction-missing": Rule(
        "A lone stamp without a fraction is the full second if that fits between its neighbours, else it is "
        "interpolated between them by row and kept within its second; in a file without any fractions the "
        "rows of a second are spread evenly over it.",
        "None needed.",
    ),
    "time-unordered": Rule("The rows are sorted by time; equal times keep their order.", "None needed."),
    "time-duplicated": Rule(
        "Rows of one time become one row, their mean (angles: the mean direction).", "None needed."
    ),
    "time-gap": Rule("The gap is bridged linearly and masked as not measured.", "None possible."),
    "constant-column": Rule("The column is kept as it is.", "None possible; scaling must not divide by its range."),
    "clock-apart": Rule(
        "A sensor that starts more than a minute from the others is aligned by its first row, not its clock.",
        "Check that the file belongs to this performance.",
    ),
    # met while videos are read
    "video-unreadable": Rule("The clip cannot be used.", f"{_FETCH} Or remove it.", unusable=True),
    # met while the table is held against a list of clips
    "clip-not-on-disk": Rule("Episodes with this clip are not scored.", "Get the missing video."),
    "clip-not-expected": Rule("The clip is in no episode.", "None needed."),
    "class-in-no-split": Rule("The clips of this class are in no episode.", "None needed."),
}


def defect(kind: str, path: str, detail: str, row: int | None = None) -> Defect:
    """A defect of a known kind, with the rule and the remedy of that kind."""
    return Defect(kind, path, detail, RULES[kind].rule, RULES[kind].remedy, row)
