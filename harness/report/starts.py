"""What a row starts from, in words: scratch, trained longer, the pre-training of a method, or released weights."""

from __future__ import annotations

from harness.records import PretrainingRecord, TrainingRecord
from harness.report import words

SCRATCH, LONGER, FILE = "scratch", "longer", "file"
ORDER = (SCRATCH, LONGER, "videomae", "mu_mae")  # then other methods, then files
OWN_ENCODERS = "the method's own"  # as training protocols say it


def is_file(training: TrainingRecord) -> bool:
    """Whether a row names a file of weights: no record of a pre-training stands behind what it starts from."""
    return training.pretraining is None and training.initialisation not in (SCRATCH, LONGER)


def word(training: TrainingRecord) -> str:
    """``scratch``, ``longer``, the method that was pre-trained, or ``file`` (also where only an encoder has one)."""
    if is_file(training) or (training.initialisation == SCRATCH and training.external_data):
        return FILE
    return training.initialisation


def order(training: TrainingRecord) -> tuple[bool, int, str]:
    """The place of a row among others of its kind: by encoders, then by start."""
    given = training.initialisation
    place = ORDER.index(given) if given in ORDER else len(ORDER) + is_file(training)
    return training.encoder == "transformer", place, given


def has_own_encoders(training: TrainingRecord) -> bool:
    return training.training_protocol.get("encoders") == OWN_ENCODERS


def encoders(training: TrainingRecord) -> str:
    """``default``, ``transformer``, or ``own`` where the method has nothing of the shared encoders."""
    return "own" if has_own_encoders(training) else training.encoder


def name(training: TrainingRecord) -> str:
    """``transformer from mu_mae``: what the names of rows need; nothing for default encoders from scratch."""
    return _told(training, "from {}")


def heading(training: TrainingRecord) -> str:
    """The same in full, for the heading of a section."""
    return _told(training, "started from {}" if is_file(training) else "started from {}'s pre-training")


def _told(training: TrainingRecord, started: str) -> str:
    transformer = training.encoder == "transformer"
    scratch = "transformer from scratch" if transformer else ""
    if training.initialisation == SCRATCH:
        return scratch
    if training.initialisation == LONGER:
        return ", ".join(filter(None, [scratch, "trained longer"]))
    network = "transformer" if transformer or has_own_encoders(training) else "prior"
    return f"{network} {started.format(training.initialisation)}"


def shared_encoder(training: TrainingRecord, modality: str) -> str:
    """A shared encoder by its modality and by what tells it from others; a prior of the method's own does not."""
    told = name(training) if training.encoder == "transformer" or training.initialisation == LONGER else ""
    return f"{modality} ({told})" if told else modality


def conditions(training: TrainingRecord, pretraining: PretrainingRecord | None) -> dict[str, str]:
    """The training protocol by dotted names, in which a pre-training is one line: it has a section of its own."""
    protocol = dict(training.training_protocol)
    part = protocol.pop("pretraining", None)
    if isinstance(part, dict):
        content = {key: value for key, value in part.items() if key != "seed"}
        found = words.assignments(content) if pretraining is None else words.short(pretraining.digest)
        seed = f", seed {part['seed']}" if pretraining is not None and "seed" in part else ""
        return words.flat(protocol) | {"pretraining": f"{found}{seed}"}
    return words.flat(protocol)
