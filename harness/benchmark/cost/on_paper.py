"""The networks and methods of a preset without any data: with MMAct's sensors and training classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import torch
from torch import nn

from mmact_oneshot.harness.api import Encoder, FewShotMethod, NotApplicable, Pretraining, Setup
from mmact_oneshot.harness.benchmark.cost.networks import Network, encoder_of, pretraining_of
from mmact_oneshot.harness.config.presets import row_settings
from mmact_oneshot.harness.config.settings import Settings
from mmact_oneshot.harness.config.studies import MAIN, OWN, Row
from mmact_oneshot.harness.data.layouts.mmact_sensors import SENSORS
from mmact_oneshot.harness.data.splits import load_split
from mmact_oneshot.harness.encoders.backbone import on_meta
from mmact_oneshot.harness.encoders.build import build_encoder, clip_shape, transformer_spec
from mmact_oneshot.harness.plugins.methods import load_method, method_names
from mmact_oneshot.harness.plugins.settings import check_settings
from mmact_oneshot.harness.training.initialisation import pretrains

SPLIT = "mmact"
SENSOR_NAMES = tuple(sensor.name for sensor in SENSORS)
KINDS = {"default": "encoder", "transformer": "transformer"}


def encoders(settings: Settings) -> list[Network]:
    """The shared encoders that rows of the preset's studies have, each once."""
    found: dict[str, Network] = {}
    for row, own in _rows(settings):
        for modality in row.modalities if load_method(row.method).needs.outputs else ():
            network = encoder_of(own, modality, SENSOR_NAMES, f"{modality} {KINDS[row.encoder]}{_whose(row)}")
            found.setdefault(network.key, network)
    return list(found.values())


def pretrainings(settings: Settings) -> list[Network]:
    """The pre-trainings from which rows of the preset's studies begin, each once, by the defaults of its method."""
    found: dict[str, Network] = {}
    for row, own in _rows(settings):
        name = row.method if row.initialisation == OWN else row.initialisation
        if (name == row.method or name in method_names()) and pretrains(load_method(name)):
            network = _pretraining(own, name, f"{name} pre-training{_whose(row)}")
            found.setdefault(network.key, network)
    return list(found.values())


def methods(settings: Settings) -> Iterator[tuple[Row, Settings, FewShotMethod]]:
    """Row, its settings and its method on the meta device, in evaluation mode: every method of the preset's first study
    once, on the most modalities with which the study has it. What is trained in the row needs gradients."""
    study = settings.studies.get(MAIN) or next(iter(settings.studies.values()))
    rows: dict[str, Row] = {}
    for row in study.rows:
        if row.method not in rows or len(row.modalities) > len(rows[row.method].modalities):
            rows[row.method] = row
    for row in rows.values():
        own = row_settings(settings, row)
        with suppress(NotApplicable):
            yield row, own, _method(own, row)


def on_meta_device(network: Network) -> nn.Module:
    """A network of shapes alone, in training: its parameters need gradients."""
    return on_meta(network.build_shapes()).requires_grad_(True)


def _rows(settings: Settings) -> Iterator[tuple[Row, Settings]]:
    for study in settings.studies.values():
        for row in study.rows:
            yield row, row_settings(settings, row)


def _whose(row: Row) -> str:
    """Rows that change settings of the run have networks of their own."""
    return f" of {row.method}" if row.changes else ""


def _pretraining(settings: Settings, name: str, label: str) -> Network:
    kind = load_method(name)
    setup, given = _setup(settings, kind.needs.modalities, 0), check_settings(kind, {}, where=name)

    def build() -> Pretraining:
        network = kind.pretraining(setup, **given)
        assert network is not None
        return network

    return pretraining_of(
        settings, setup.modalities, build, label, f"pretraining {name} {setup.shape} {setup.transformer}"
    )


def _method(settings: Settings, row: Row) -> FewShotMethod:
    kind, trained = load_method(row.method), row.training == "end_to_end"
    built: dict[str, Encoder] = {}
    with torch.device("meta"):
        for modality in row.modalities if kind.needs.outputs else ():
            built[modality] = build_encoder(modality, settings, SENSOR_NAMES, 0).requires_grad_(trained)
        setup = replace(_setup(settings, row.modalities, len(load_split(SPLIT).base)), encoders=built)
        method = kind(setup, **check_settings(kind, row.settings, where=row.method))
    for network in method.own_encoders():
        network.requires_grad_(trained)
    needed = [parameter.requires_grad for parameter in method.parameters()]
    twin = on_meta(method)
    for parameter, need in zip(twin.parameters(), needed, strict=True):
        parameter.requires_grad_(need)
    return twin


def _setup(settings: Settings, modalities: tuple[str, ...], classes: int) -> Setup:
    shape, transformer = clip_shape(settings), transformer_spec(settings)
    return Setup(modalities, SENSOR_NAMES, classes, settings.way, settings.shot, shape=shape, transformer=transformer)
