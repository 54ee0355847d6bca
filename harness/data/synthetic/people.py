"""Who performs and where: proportions and clothes of a subject, walls and light of a scene. All of it mild."""

from __future__ import annotations

import colorsys
from dataclasses import astuple, dataclass

import numpy as np

from mmact_oneshot.harness.data.synthetic.body import Proportions
from mmact_oneshot.harness.data.synthetic.settings import stream

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Person:
    """Size and clothes of a subject."""

    size: Proportions
    shirt: Colour
    trousers: Colour
    skin: Colour
    hair: Colour


@dataclass(frozen=True)
class Scene:
    """Colours of a place, the shade of its things, where north lies (rad), where the cameras stand (rad)."""

    wall: Colour
    floor: Colour
    thing: Colour
    north: float
    azimuth: float
    desk: bool


def person(seed: int, subject: int, appearance: float, variation: float) -> Person:
    """A subject of a data set; 0 and below are the partners in two-person classes."""
    rng = stream(seed, "person", subject)
    stature = float(np.exp(0.045 * variation * rng.standard_normal()))
    ratio = np.exp(0.035 * variation * rng.standard_normal(8))
    lengths = np.array(astuple(Proportions()))[:-1]
    girth = float(np.exp(0.10 * rng.standard_normal()))
    size = Proportions(*[*(stature * ratio * lengths).tolist(), girth])
    return Person(
        size,
        shirt=_shade(rng, 0.58, 0.55, 0.62, appearance),
        trousers=_shade(rng, 0.62, 0.35, 0.30, appearance),
        skin=_shade(rng, 0.07, 0.42, 0.85, 0.5 * appearance, hue=0.1),
        hair=_shade(rng, 0.07, 0.45, 0.22, 0.6 * appearance, hue=0.1),
    )


def scene(seed: int, number: int, appearance: float) -> Scene:
    """A scene of a data set; number 3 has a desk, as in MMAct."""
    rng = stream(seed, "scene", number)
    return Scene(
        wall=_shade(rng, 0.12, 0.10, 0.82, 0.6 * appearance),
        floor=_shade(rng, 0.09, 0.18, 0.62, 0.6 * appearance),
        thing=_shade(rng, 0.08, 0.40, 0.48, 0.6 * appearance),
        north=float(rng.uniform(-np.pi, np.pi)),
        azimuth=float(np.deg2rad(5.0) * appearance * rng.standard_normal()),
        desk=number == 3,
    )


def _shade(rng: np.random.Generator, h: float, s: float, v: float, spread: float, hue: float = 1.0) -> Colour:
    """A colour near (hue, saturation, value), each in 0..1."""
    dh, ds, dv = spread * np.array([0.09 * hue, 0.10, 0.08]) * rng.standard_normal(3)
    rgb = colorsys.hsv_to_rgb((h + dh) % 1.0, float(np.clip(s + ds, 0, 1)), float(np.clip(v + dv, 0.1, 0.95)))
    red, green, blue = (round(255 * value) for value in rgb)
    return red, green, blue
