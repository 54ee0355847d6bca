"""The part of a preset that a run does: which studies, methods, modalities, suites and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmact_oneshot.harness.config.overrides import named_values
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import EACH, MAIN, Row, Study
from mmact_oneshot.harness.data.episodes.suites import suite_spec
from mmact_oneshot.harness.plugins.methods import load_method
from mmact_oneshot.harness.plugins.settings import check_settings
from mmact_oneshot.harness.runtime.errors import HarnessError, nearest

ALL = "all"
LABELS = ("video", "sensors", "both")


@dataclass(frozen=True)
class Narrowing:
    """What is asked for; None and nothing stand for what the preset says.

    Attributes:
        studies: by name, or "all"; without any, the study ``methods``, or the first where a preset has none.
        methods: names, or .py files; with settings of their own as in ``trx:width=64,cardinalities=[2]``.
        modalities: "video", "sensors" or "both".
        seeds: number of training seeds, from 0.
    """

    studies: Sequence[str] = ()
    methods: Sequence[str] = ()
    modalities: str | None = None
    suites: Sequence[str] = ()
    seeds: int | None = None


def narrowed(settings: Settings, wanted: Narrowing) -> tuple[Settings, tuple[str, ...]]:
    """The settings with only what is asked for, and the names of the studies to do.

    A method without a row in a study is given one for each choice of modalities that it can use.

    Raises:
        HarnessError: an unknown study, method, suite or modality, or nothing that is left.
    """
    names = _study_names(settings, wanted.studies)
    studies = {name: _narrowed(study, name, names, wanted) for name, study in settings.studies.items()}
    if not any(studies[name].rows for name in names):
        raise HarnessError("no row is left to run.", remedy="`oneshot methods` lists what each method can use.")
    update: dict[str, Any] = {"studies": studies}
    if wanted.suites:
        update["suites"] = tuple(suite_spec(name).name for name in wanted.suites)
    if wanted.seeds is not None:
        update["seeds"] = tuple(range(wanted.seeds))
    return settings.model_copy(update=update), names


def _study_names(settings: Settings, wanted: Sequence[str]) -> tuple[str, ...]:
    known = tuple(settings.studies)
    if not known:
        raise HarnessError(f"preset {settings.preset} has no study.", remedy="Write [studies.NAME] into it.")
    if ALL in wanted:
        return known
    for name in wanted:
        if name not in known:
            raise HarnessError(f"preset {settings.preset} has no study {name!r}.", remedy=nearest(name, [*known, ALL]))
    return tuple(dict.fromkeys(wanted)) or ((MAIN,) if MAIN in known else known[:1])


def _narrowed(study: Study, name: str, chosen: Sequence[str], wanted: Narrowing) -> Study:
    rows = study.rows
    if name in chosen and wanted.methods:
        rows = tuple(row for method in dict.fromkeys(wanted.methods) for row in _rows_of(study, method))
    if wanted.modalities is not None:
        if wanted.modalities not in LABELS:
            raise HarnessError(f"no modalities {wanted.modalities!r}.", remedy=nearest(wanted.modalities, LABELS))
        rows = tuple(row for row in rows if row.modality_label == wanted.modalities)
    update: dict[str, Any] = {"rows": rows}
    if wanted.suites:
        update["suites"] = None
    if wanted.seeds is not None:
        update["seeds"] = None
    return study.model_copy(update=update)


def _rows_of(study: Study, asked: str) -> tuple[Row, ...]:
    """The rows of a method in a study; new ones with the study's defaults where it has none.

    Settings that are asked for take the place of those of the rows.
    """
    name, colon, text = asked.partition(":")
    method = load_method(name)  # refuses an unknown name with the nearest right one
    given = named_values(text) if colon else {}
    check_settings(method, given, where=f"--method {asked}")
    own = [row.model_copy(update={"settings": row.settings | given}) for row in study.rows if row.method == name]
    if own:
        return tuple({repr(row): row for row in own}.values())
    if "method" not in study.varies:
        return ()
    fields: dict[str, Any] = {"training": study.training, "encoder": study.encoder}
    fields["initialisation"] = study.initialisation
    usable = [each for each in EACH if set(each) <= set(method.needs.modalities)]
    return tuple(Row(method=name, modalities=each, settings=given, **fields) for each in usable)
