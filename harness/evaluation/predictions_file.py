"""Predictions made elsewhere: a CSV or NPZ file, checked line by line against the episodes of a suite. No torch."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmact_oneshot.harness.records import Episodes, SuiteRecord
from mmact_oneshot.harness.runtime.cells import cell_text
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest

MISSING = -1  # as in the harness's own predictions: the whole episode is not scored
UNREADABLE = (
    AttributeError,
    TypeError,
    ValueError,
    EOFError,
    OSError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)  # what numpy raises for an archive that is damaged or encrypted, or claims more than there is
POSITION, CLASS = "predicted", "predicted_class"


@dataclass(frozen=True)
class Predictions:
    """What a file holds.

    Attributes:
        predicted: (N, Q) int8 position in 0..way-1; -1 throughout an episode that is not answered in full.
        incomplete: episodes of which some queries are answered and some are not.
        digest: SHA-256 of the file.
    """

    predicted: np.ndarray
    incomplete: int
    digest: str

    @property
    def done(self) -> np.ndarray:
        """(N,) bool, whether an episode is answered."""
        return np.asarray(self.predicted[:, 0] >= 0)


def read_predictions(path: Path, suite: SuiteRecord, episodes: Episodes, partial: bool = False) -> Predictions:
    """Read and check a file of predictions.

    A CSV has the columns ``episode`` and ``query``, both from 0, and either ``predicted``, the position 0..way-1, or
    ``predicted_class``, the name; others are ignored, but a column ``label`` must agree with the suite. An NPZ has an
    array ``predicted`` (N, Q), -1 where there is none, and may have ``label``.

    Args:
        partial: whether answers may be missing.

    Raises:
        HarnessError: whatever is wrong with it, with the line where there is one.
    """
    if path.suffix not in {".csv", ".npz"}:
        raise HarnessError("neither .csv nor .npz.", where=path, remedy="`oneshot score --help` describes both.")
    if not path.is_file():
        raise HarnessError("no such file.", where=path, remedy="Name a file of predictions.")
    content = path.read_bytes()
    given = _csv(path, content, suite, episodes) if path.suffix == ".csv" else _npz(path, content, episodes)
    answered = given >= 0
    lacking = np.flatnonzero(~answered.all(axis=1))
    if len(lacking) and not partial:
        raise HarnessError(
            f"no prediction for {int((~answered).sum()):,} of {answered.size:,} queries; the first is episode "
            f"{lacking[0]}, query {int(np.argmin(answered[lacking[0]]))}.",
            where=path,
            remedy="Predict all of them, or say --partial: the row is then incomplete, and never ranked.",
        )
    if len(lacking) > len(given) - 2:
        raise HarnessError(
            f"{len(given) - len(lacking)} of {len(given):,} episodes are answered in full, which gives no interval.",
            where=path,
            remedy="An episode counts where all of its queries are answered.",
        )
    given[lacking] = MISSING
    return Predictions(given, int(answered[lacking].any(axis=1).sum()), hashlib.sha256(content).hexdigest())


def _npz(path: Path, content: bytes, episodes: Episodes) -> np.ndarray:
    remedy = f"Save an integer array 'predicted' of shape {episodes.label.shape}: np.savez(file, predicted=...)."
    try:
        _refuse_swollen(path, content, episodes)
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files if name in (POSITION, "label")}
    except UNREADABLE as error:
        raise HarnessError(f"not an archive of plain arrays ({error}).", where=path, remedy=remedy) from error
    for name in (POSITION, "label"):
        array = found.get(name)
        if array is None:
            if name == POSITION:
                raise HarnessError(
                    f"no array 'predicted', but {', '.join(arrays.files) or 'none'}.", where=path, remedy=remedy
                )
        elif array.shape != episodes.label.shape or array.dtype.kind not in "iu":
            raise HarnessError(f"'{name}' is {array.dtype} of shape {array.shape}.", where=path, remedy=remedy)
    predicted = found[POSITION].astype(np.int64)
    way = _way(episodes)
    wrong = np.argwhere((predicted < MISSING) | (predicted >= way)).tolist()
    if wrong:
        episode, query = wrong[0]
        raise HarnessError(
            f"episode {episode}, query {query}: position {predicted[episode, query]} is not in 0..{way - 1}.",
            where=path,
            remedy="Positions count from 0 in the order of the support classes; -1: no prediction.",
        )
    if "label" in found:
        other = np.argwhere(found["label"] != episodes.label).tolist()
        if other:
            episode, query = other[0]
            raise _other_episodes(path, episode, query, found["label"][episode, query], episodes)
    return np.asarray(predicted, np.int8)


def _refuse_swollen(path: Path, content: bytes, episodes: Episodes) -> None:
    """Refuse arrays that are far larger, once they are unpacked, than answers to these episodes can be."""
    most = 16 * episodes.label.size + 10_000  # the widest number, and its header
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            if member.filename in (f"{POSITION}.npy", "label.npy") and member.file_size > most:
                raise HarnessError(
                    f"'{member.filename}' has {member.file_size:,} bytes; answers to {episodes.label.size:,} queries "
                    f"have at most {most:,}.",
                    where=path,
                    remedy="`oneshot episodes export` writes the episodes of this run.",
                )


def _csv(path: Path, content: bytes, suite: SuiteRecord, episodes: Episodes) -> np.ndarray:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HarnessError(f"not UTF-8 ({error.reason}).", where=path, remedy="Save it as UTF-8.") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip() for name in next(reader, [])]
    answer = _answer_column(path, header)
    places = {name: header.index(name) for name in ("episode", "query", answer)}
    label = header.index("label") if "label" in header else None
    predicted = np.full(episodes.label.shape, MISSING, np.int8)
    lines = np.zeros(episodes.label.shape, np.int64)
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            line = _Line(path, reader.line_num, cells, len(header))
            episode = line.number(places["episode"], "episode", len(predicted))
            query = line.number(places["query"], "query", predicted[episode].size)
            if lines[episode, query]:
                raise line.wrong(
                    f"episode {episode}, query {query} for the second time, after line {lines[episode, query]}.",
                    "Leave one of them out.",
                )
            lines[episode, query] = reader.line_num
            if answer == POSITION:
                predicted[episode, query] = line.number(places[answer], "predicted", _way(episodes))
            else:
                predicted[episode, query] = line.position(places[answer], suite.classes, episodes.drawn[episode])
            if label is not None and line.cells[label].strip():
                claimed = line.number(label, "label", _way(episodes))
                if claimed != episodes.label[episode, query]:
                    raise _other_episodes(path, episode, query, claimed, episodes, reader.line_num)
    except csv.Error as error:
        raise HarnessError(f"not CSV ({error}).", where=path, row=reader.line_num, remedy="Write it anew.") from error
    return predicted


def _answer_column(path: Path, header: Sequence[str]) -> str:
    """The column of answers; raises HarnessError where the header is not as wanted."""
    remedy = f"The first line names the columns: episode, query, and {POSITION} or {CLASS}; separated by commas."
    answers = [name for name in (POSITION, CLASS) if name in header]
    lacking = [name for name in ("episode", "query") if name not in header]
    if lacking or not answers:
        what = ", ".join(lacking or [f"{POSITION} or {CLASS}"])
        raise HarnessError(f"no column {what}, but {', '.join(header) or 'nothing'}.", where=path, row=1, remedy=remedy)
    if len(answers) == 2 or len(set(header)) < len(header):
        raise HarnessError("two columns of answers, or of one name.", where=path, row=1, remedy=remedy)
    return answers[0]


@dataclass(frozen=True)
class _Line:
    """A line of a CSV file; whatever is wrong with it names it."""

    path: Path
    number_: int
    cells: list[str]
    columns: int

    def __post_init__(self) -> None:
        if len(self.cells) != self.columns:
            raise self.wrong(f"{len(self.cells)} cells under {self.columns} columns.", "Write as many as columns.")

    def wrong(self, problem: str, remedy: str) -> HarnessError:
        return HarnessError(problem, where=self.path, row=self.number_, remedy=remedy)

    def number(self, place: int, what: str, count: int) -> int:
        """A whole number in 0..count-1; ``3.0`` is one too, since pandas writes it so beside gaps."""
        text = self.cells[place].strip()
        digits = text.removesuffix(".0")
        if not (digits.isascii() and digits.isdigit()) or int(digits) >= count:
            raise self.wrong(f"{what}: {text!r} is not in 0..{count - 1}.", _REMEDIES[what])
        return int(digits)

    def position(self, place: int, classes: Sequence[str], drawn: np.ndarray) -> int:
        """The position of a class among those of the episode."""
        text = self.cells[place].strip()
        exported = {cell_text(name): name for name in classes}  # as `oneshot episodes export` writes them
        text = text if text in classes else exported.get(text, text)
        if text not in classes:
            raise self.wrong(f"{CLASS}: no class {text!r} in this suite.", nearest(text, classes))
        found = np.flatnonzero(drawn == classes.index(text))
        if not len(found):
            offered = ", ".join(classes[code] for code in drawn.tolist())
            raise self.wrong(f"{CLASS}: {text!r} is not offered in this episode.", f"It offers {offered}.")
        return int(found[0])


_REMEDIES = {
    "episode": "Episodes count from 0; a suite of a run may be the first so many of the full one.",
    "query": "Queries of an episode count from 0, in the order of `oneshot episodes export`.",
    "predicted": "Positions count from 0, in the order of the support classes; leave a line out for no prediction.",
    "label": "It is the true position; leave the column out where it is not known.",
}


def _other_episodes(
    path: Path, episode: int, query: int, claimed: int, episodes: Episodes, row: int | None = None
) -> HarnessError:
    return HarnessError(
        f"episode {episode}, query {query}: label {claimed}, but {episodes.label[episode, query]} in the suite. These "
        "predictions were made for other episodes.",
        where=path,
        row=row,
        remedy="`oneshot episodes export` writes those of this run.",
    )


def _way(episodes: Episodes) -> int:
    return int(episodes.support.shape[1])
