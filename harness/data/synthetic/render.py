"""The film of a performance: perspective cameras, and figures of rounded limbs drawn from back to front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mmact_oneshot.harness.data.synthetic.body import JOINT, Array, Body
from mmact_oneshot.harness.data.synthetic.people import Colour, Person, Scene
from mmact_oneshot.harness.data.synthetic.performance import Performance, grip
from mmact_oneshot.harness.data.synthetic.settings import SyntheticSettings

_DISTANCE, _HEIGHT, _AIM = 4.6, 1.5, 0.92  # metres: the cameras, and the height at which they point
_VIEW = 2.0  # metres of the scene from the lower to the upper edge of the picture
_WALL = -2.4  # metres behind the action
_SMOOTHING = 2  # pictures are drawn this much larger
_LIMBS = (  # from, to, radius in metres, what it wears
    ("l_hip", "l_knee", 0.080, "trousers"), ("l_knee", "l_ankle", 0.055, "trousers"),
    ("l_ankle", "l_toe", 0.045, "hair"),
    ("r_hip", "r_knee", 0.080, "trousers"), ("r_knee", "r_ankle", 0.055, "trousers"),
    ("r_ankle", "r_toe", 0.045, "hair"),
    ("l_shoulder", "l_elbow", 0.052, "shirt"), ("l_elbow", "l_wrist", 0.040, "skin"),
    ("r_shoulder", "r_elbow", 0.052, "shirt"), ("r_elbow", "r_wrist", 0.040, "skin"),
)  # fmt: skip
_PROP_COLOUR: dict[str, Colour] = {
    "box": (176, 128, 72),
    "phone": (30, 30, 34),
    "cup": (236, 236, 230),
    "ball": (200, 60, 50),
}

Shape = tuple[Array, Callable[[ImageDraw.ImageDraw, int], None]]  # depth (n,), draw frame k


@dataclass(frozen=True)
class Camera:
    """A pinhole at ``place`` looking along the third row of ``axes``; ``focal`` and ``centre`` in pixels."""

    place: Array
    axes: Array
    focal: float
    centre: Array

    def project(self, points: Array) -> tuple[Array, Array]:
        """Pixels (..., 2) and depth (...) of points (..., 3)."""
        view = (points - self.place) @ self.axes.T
        depth = np.maximum(view[..., 2], 0.3)
        return view[..., :2] * (self.focal / depth[..., None]) + self.centre, depth


def camera(settings: SyntheticSettings, azimuth: float, number: int) -> Camera:
    """Camera ``number`` (from 1) of a scene."""
    angle = azimuth + np.deg2rad(settings.camera_step_deg) * (number - 1 - 0.5 * (settings.cameras - 1))
    place = np.array([_DISTANCE * np.cos(angle), _DISTANCE * np.sin(angle), _HEIGHT])
    ahead = np.array([0.0, 0.0, _AIM]) - place
    ahead /= np.linalg.norm(ahead)
    sideways = np.cross(ahead, [0.0, 0.0, 1.0])
    sideways /= np.linalg.norm(sideways)
    axes = np.stack([sideways, np.cross(ahead, sideways), ahead])
    size = _SMOOTHING * np.array([settings.width, settings.height])
    return Camera(place, axes, float(size[1]) * _DISTANCE / _VIEW, 0.5 * size)


def film(settings: SyntheticSettings, shown: Performance, number: int) -> NDArray[np.uint8]:
    """The frames (n, height, width, 3) that camera ``number`` takes."""
    eye = camera(settings, shown.scene.azimuth, number)
    stamps = np.arange(int(shown.seconds * settings.fps)) / settings.fps
    chosen = np.clip(np.searchsorted(shown.time, stamps), 0, len(shown.time) - 1)
    shapes = _figure(eye, shown.body, shown.actor, chosen, shown.light)
    if shown.partner is not None:
        shapes += _figure(eye, shown.partner, shown.partner_person, chosen, shown.light)
    shapes += _things(eye, shown, chosen) + _furniture(eye, shown, chosen)
    order = np.argsort(-np.stack([depth for depth, _ in shapes]), axis=0, kind="stable").T.tolist()
    backdrop = _backdrop(settings, shown.scene, shown.light, number)
    frames = np.empty((len(chosen), settings.height, settings.width, 3), np.uint8)
    for k, back_to_front in enumerate(order):
        picture = backdrop.copy()
        draw = ImageDraw.Draw(picture)
        for shape in back_to_front:
            shapes[shape][1](draw, k)
        frames[k] = np.asarray(picture.reduce(_SMOOTHING))
    return frames


def _figure(eye: Camera, body: Body, who: Person, chosen: NDArray[np.intp], light: float) -> list[Shape]:
    joints = body.joints[chosen]
    pixels, depth = eye.project(joints)
    wear = {"shirt": who.shirt, "trousers": who.trousers, "skin": who.skin, "hair": who.hair}
    shapes: list[Shape] = []
    for a, b, radius, cloth in _LIMBS:
        i, j = JOINT[a], JOINT[b]
        far = 0.5 * (depth[:, i] + depth[:, j])
        shade = 0.86 if a.startswith("l_") else 1.0  # tells left from right
        shapes.append(_limb(pixels[:, i], pixels[:, j], far, radius * who.size.girth * eye.focal,
                               _lit(wear[cloth], shade * light)))  # fmt: skip
    for side in "rl":
        tip = joints[:, JOINT[f"{side}_wrist"]] * 1.3 - 0.3 * joints[:, JOINT[f"{side}_elbow"]]
        shapes.append(_dot(eye, tip, 0.052, _lit(who.skin, light)))
    corners = ("l_shoulder", "r_shoulder", "r_hip", "l_hip")
    trunk = pixels[:, [JOINT[name] for name in corners]]
    middle = depth[:, [JOINT[name] for name in corners]].mean(axis=1)
    shapes.append(_slab(trunk, middle, 0.085 * who.size.girth * eye.focal, _lit(who.shirt, 0.95 * light)))
    neck = 0.5 * (joints[:, JOINT["neck"]] + joints[:, JOINT["head"]])
    shapes.append(_dot(eye, neck, 0.06, _lit(who.skin, 0.9 * light)))
    shapes.append(_dot(eye, joints[:, JOINT["head"]], 0.118, _lit(who.hair, light)))
    shapes.append(_dot(eye, joints[:, JOINT["face"]], 0.095, _lit(who.skin, light)))
    return shapes


def _things(eye: Camera, shown: Performance, chosen: NDArray[np.intp]) -> list[Shape]:
    shapes = []
    for item in shown.held:
        colour, place = _lit(_PROP_COLOUR[item.prop.kind], shown.light), item.place[chosen]
        if item.prop.kind == "box":
            shapes.append(_box(eye, place, shown.to_world, (item.prop.size,) * 3, colour))
        else:
            shapes.append(_dot(eye, place, 0.5 * item.prop.size, colour, nearer=0.1))
    return shapes


def _furniture(eye: Camera, shown: Performance, chosen: NDArray[np.intp]) -> list[Shape]:
    wood, dark = _lit(shown.scene.thing, shown.light), _lit(shown.scene.thing, 0.7 * shown.light)
    shapes: list[Shape] = []

    def put(corners: list[tuple[float, float, float]], colour: Colour, nearer: float = 0.0) -> None:
        points = np.broadcast_to(np.array(corners) @ shown.to_world.T + shown.origin, (len(chosen), len(corners), 3))
        shapes.append(_polygon(eye, points, colour, nearer))

    if "chair" in shown.action.furniture:
        put([(-0.24, -0.22, 0.42), (0.2, -0.22, 0.42), (0.2, 0.22, 0.42), (-0.24, 0.22, 0.42)], dark, -0.15)
        put([(-0.26, -0.22, 0.42), (-0.26, 0.22, 0.42), (-0.28, 0.22, 0.95), (-0.28, -0.22, 0.95)], wood)
        for x, y in ((-0.24, -0.2), (-0.24, 0.2), (0.18, -0.2), (0.18, 0.2)):
            put([(x, y, 0.0), (x + 0.04, y, 0.0), (x + 0.04, y, 0.42), (x, y, 0.42)], dark, -0.1)
    if "table" in shown.action.furniture:
        put([(0.5, -0.5, 0.7), (0.95, -0.5, 0.7), (0.95, 0.5, 0.7), (0.5, 0.5, 0.7)], wood)
        for x, y in ((0.52, -0.48), (0.52, 0.44), (0.9, -0.48), (0.9, 0.44)):
            put([(x, y, 0.0), (x, y + 0.04, 0.0), (x, y + 0.04, 0.68), (x, y, 0.68)], dark)
    if "laptop" in shown.action.furniture:
        put([(0.78, -0.17, 0.72), (0.78, 0.17, 0.72), (0.86, 0.17, 0.95), (0.86, -0.17, 0.95)], (50, 52, 58))
    if "door" in shown.action.furniture:
        angle = 1.45 * shown.door[chosen]
        hinge = np.array([shown.door_at, 0.45, 0.0])
        tip = hinge + 0.85 * np.stack([np.sin(angle), -np.cos(angle), np.zeros_like(angle)], axis=1)
        up = np.array([0.0, 0.0, 1.95])
        panel = np.stack([np.broadcast_to(hinge, tip.shape), tip, tip + up, np.broadcast_to(hinge + up, tip.shape)], 1)
        shapes.append(_polygon(eye, panel @ shown.to_world.T + shown.origin, wood))
    if "cart" in shown.action.furniture:
        hands = grip(shown.body, "both")[chosen] + shown.to_world @ np.array([0.3, 0.0, 0.0])
        hands[:, 2] = 0.52
        shapes.append(_box(eye, hands, shown.to_world, (0.5, 0.45, 0.75), wood))
    return shapes


def _limb(a: Array, b: Array, depth: Array, radius: float, colour: Colour) -> Shape:
    """A limb with a round end at ``b``; at ``a`` the trunk or the limb before it is round."""
    ends = np.concatenate([a, b], axis=1).tolist()
    radii = (radius / depth).tolist()

    def draw(canvas: ImageDraw.ImageDraw, k: int) -> None:
        x0, y0, x1, y1 = ends[k]
        r = radii[k]
        canvas.line((x0, y0, x1, y1), colour, max(1, round(2 * r)))
        canvas.ellipse((x1 - r, y1 - r, x1 + r, y1 + r), colour)

    return depth, draw


def _dot(eye: Camera, place: Array, radius: float, colour: Colour, nearer: float = 0.0) -> Shape:
    pixels, depth = eye.project(place)
    centres, radii = pixels.tolist(), (radius * eye.focal / depth).tolist()

    def draw(canvas: ImageDraw.ImageDraw, k: int) -> None:
        (x, y), r = centres[k], radii[k]
        canvas.ellipse((x - r, y - r, x + r, y + r), colour)

    return depth - nearer, draw


def _slab(corners: Array, depth: Array, radius: float, colour: Colour) -> Shape:
    """A polygon with rounded corners: a trunk has some depth when viewed from the side."""
    flat = corners.reshape(len(corners), -1).tolist()
    radii = (radius / depth).tolist()

    def draw(canvas: ImageDraw.ImageDraw, k: int) -> None:
        points, r = flat[k], radii[k]
        canvas.polygon(points, colour)
        canvas.line(points + points[:2], colour, max(1, round(2 * r)))
        for x, y in zip(points[::2], points[1::2], strict=True):
            canvas.ellipse((x - r, y - r, x + r, y + r), colour)

    return depth, draw


def _polygon(eye: Camera, points: Array, colour: Colour, nearer: float = 0.0) -> Shape:
    pixels, depth = eye.project(points)
    flat = pixels.reshape(len(points), -1).tolist()
    return depth.mean(axis=1) - nearer, lambda canvas, k: canvas.polygon(flat[k], colour)


def _box(eye: Camera, place: Array, turn: Array, size: tuple[float, float, float], colour: Colour) -> Shape:
    """A box around ``place``: its three visible faces, in three shades."""
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    corners = place[:, None] + (0.5 * signs * np.array(size)) @ turn.T
    pixels, _ = eye.project(corners)
    faces = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5))
    normals = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]], float) @ turn.T
    shown = ((eye.place - place) @ normals.T > 0.5 * np.repeat(size, 2)).tolist()
    shades = [_lit(colour, shade) for shade in (0.85, 0.85, 0.72, 0.72, 0.6, 1.08)]
    flat = pixels[:, faces, :].reshape(len(place), len(faces), -1).tolist()

    def draw(canvas: ImageDraw.ImageDraw, k: int) -> None:
        for face in range(len(faces)):
            if shown[k][face]:
                canvas.polygon(flat[k][face], shades[face])

    return eye.project(place)[1] - 0.08, draw


@lru_cache(maxsize=64)
def _backdrop(settings: SyntheticSettings, place: Scene, light: float, number: int) -> Image.Image:
    eye = camera(settings, place.azimuth, number)
    width, height = _SMOOTHING * settings.width, _SMOOTHING * settings.height
    picture = Image.new("RGB", (width, height), _lit(place.wall, light))
    draw = ImageDraw.Draw(picture)

    def on_wall(corners: list[tuple[float, float]]) -> list[float]:
        points = np.array([(_WALL, y, z) for y, z in corners])
        return eye.project(points)[0].ravel().tolist()

    x0, y0, x1, y1 = on_wall([(-5.0, 0.0), (5.0, 0.0)])
    draw.polygon([x0, y0, x1, y1, x1, 2 * height, x0, 2 * height], _lit(place.floor, light))
    draw.polygon(on_wall([(1.9, 0.9), (1.1, 0.9), (1.1, 1.8), (1.9, 1.8)]), _lit(place.thing, 1.25 * light))
    if place.desk:
        draw.polygon(on_wall([(-0.9, 0.0), (-1.9, 0.0), (-1.9, 1.3), (-0.9, 1.3)]), _lit(place.thing, 1.1 * light))
    return picture


def _lit(colour: Colour, light: float) -> Colour:
    red, green, blue = (min(255, round(value * light)) for value in colour)
    return red, green, blue
