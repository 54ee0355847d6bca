"""Studies: a question, the rows that answer it, and the settings in which its rows may differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from mmact_oneshot.harness.config.specs import Frozen

Modality = Literal["video", "sensors"]
Training = Literal["end_to_end", "frozen"]
EncoderKind = Literal["default", "transformer"]

EACH: tuple[tuple[Modality, ...], ...] = (("video",), ("sensors",), ("video", "sensors"))
MODALITIES = 'modalities must be ["video"], ["sensors"], ["video", "sensors"] or "each" (three rows)'
OWN, SCRATCH, PROLONGED = "own", "scratch", "prolonged"
MAIN = "methods"  # the study that a run does where none is named
RECIPE = "recipe"
ROW_DEFAULTS = ("training", "encoder", "initialisation")
ROW_FIELDS = ("method", "settings", "training", "encoder", "initialisation")


FOLLOWS = {
    "method": ("settings", "initialisation", "pretraining"),
    "settings": ("initialisation", "pretraining"),
    "initialisation": ("pretraining", "warm_start"),
    "encoder": ("encoders", "transformer"),
    "training": ("training_clips", "budget"),
}
"""What follows from a setting, and so varies with it: a method brings its settings and its own pre-training."""


def may_vary(varies: Iterable[str], name: str) -> bool:
    """Whether rows of a study that varies these settings may differ in a dotted name."""
    given = set(varies)
    given |= {each for setting in given for each in FOLLOWS.get(setting, ())}
    return RECIPE in given or name.split(".")[0] in given or name in given


def modality_label(modalities: tuple[str, ...]) -> str:
    """``video``, ``sensors`` or ``both``."""
    return "both" if len(modalities) > 1 else "".join(modalities)


class Row(Frozen):
    """One row of a study: a method, the modalities that it gets, and how it is trained."""

    method: str
    modalities: tuple[Modality, ...]
    training: Training = Field("end_to_end", description="encoders trained with the head, or frozen")
    encoder: EncoderKind = Field(
        "default", description="shared encoders: video_encoder and sensor_encoder, or the transformer of `transformer`"
    )
    initialisation: str = Field(
        OWN,
        description="of transformers. own: the method's pre-training where it has one, scratch otherwise; scratch; "
        "prolonged: scratch, the warm start prolonged by as many clips as a pre-training passes; a method with a "
        "pre-training; or a file of released weights",
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="of the method")
    changes: dict[str, Any] = Field(
        default_factory=dict, description="settings of the run that are others in this row; in studies that vary them"
    )

    @field_validator("modalities")
    @classmethod
    def _ordered(cls, modalities: tuple[Modality, ...]) -> tuple[Modality, ...]:
        if modalities not in EACH:
            raise ValueError(MODALITIES)
        return modalities

    @property
    def modality_label(self) -> str:
        return modality_label(self.modalities)


class Study(Frozen):
    """A question and its rows. Rows on the same modalities and suite are ranked together.

    All that is not named in ``varies`` must be equal in all rows. A study that varies the recipe is not ranked.
    """

    question: str
    varies: tuple[str, ...] = Field(description="settings in which rows may differ, beside their modalities")
    reference: dict[str, Any] = Field(
        default_factory=dict, description="fields of the row that the others are compared with, pair by pair"
    )
    seeds: tuple[int, ...] | None = Field(None, description="none: those of the run")
    suites: tuple[str, ...] | None = Field(None, description="none: those of the run")
    training: Training = Field("end_to_end", description="of rows that do not say theirs")
    encoder: EncoderKind = Field("default", description="of rows that do not say theirs")
    initialisation: str = Field(OWN, description="of rows that do not say theirs")
    modalities: Literal["each"] | tuple[Modality, ...] = Field("each", description="of rows that do not say theirs")
    rows: tuple[Row, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _expanded(cls, content: Any) -> Any:
        """Rows with the study's defaults; a row with ``modalities = "each"`` stands for three."""
        if not isinstance(content, Mapping) or not isinstance(content.get("rows"), list | tuple):
            return content
        defaults = {name: content[name] for name in ROW_DEFAULTS if name in content}
        rows: list[Any] = []
        for row in content["rows"]:
            if not isinstance(row, Mapping):
                rows.append(row)
                continue
            wanted = row.get("modalities", content.get("modalities", "each"))
            if isinstance(wanted, str) and wanted != "each":
                raise ValueError(f'{MODALITIES}, not "{wanted}"')
            rows += [{**defaults, **row, "modalities": each} for each in (EACH if wanted == "each" else [wanted])]
        return {**content, "rows": rows}

    @model_validator(mode="after")
    def _fair(self) -> Study:
        """Refuse rows that differ in what the study does not vary."""
        for name, values in self._differences():
            if not (name in self.varies or RECIPE in self.varies or (name == "settings" and "method" in self.varies)):
                raise ValueError(
                    f"its rows differ in {name} ({', '.join(values)}), which it does not vary: make them equal, or add "
                    f'"{name}" to varies'
                )
        return self

    @property
    def ranked(self) -> bool:
        return RECIPE not in self.varies

    def _differences(self) -> Iterator[tuple[str, list[str]]]:
        """Names of the settings in which rows differ, with the values."""
        for name in ROW_FIELDS:
            values = list(dict.fromkeys(_text(getattr(row, name)) for row in self.rows))
            if len(values) > 1:
                yield name, values
        for name in dict.fromkeys(name for row in self.rows for name in row.changes):
            values = list(dict.fromkeys(_text(row.changes.get(name, "as the run has it")) for row in self.rows))
            if len(values) > 1:
                yield name, values


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {each}" for key, each in sorted(value.items())) or "none"
    return str(value)
