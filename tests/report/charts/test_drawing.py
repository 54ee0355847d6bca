"""What all charts are drawn with: scales, colours, text that breaks nothing, files that stand alone."""

from __future__ import annotations

import io
from collections.abc import Mapping
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from mmact_oneshot.harness.report.charts import palette, raster
from mmact_oneshot.harness.report.charts.axes import below, beside
from mmact_oneshot.harness.report.charts.canvas import MARKS, Canvas, cut
from mmact_oneshot.harness.report.charts.figure import Figure, Panel, inline, standalone
from mmact_oneshot.harness.report.charts.files import figure_files
from mmact_oneshot.harness.report.charts.scale import Scale, around, decades, ticks
from mmact_oneshot.harness.runtime.errors import HarnessError

SVG = "{http://www.w3.org/2000/svg}"
EVIL = "<script>alert(1)</script>"


def figure(name: str = "x", heading: str = "heading") -> Figure:
    canvas = Canvas(100)
    canvas.text(0, 20, "drawn")
    panel = Panel(heading, "what is to be seen", 100, 40, canvas.body)
    return Figure(name, "a title", ("a note",), (panel, panel), ("a", "b"), (("1", "2"),), columns=2)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.08, 0.13, [-0.05, 0.0, 0.05, 0.1]),
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.41, 0.43, [0.41, 0.415, 0.42, 0.425, 0.43]),
        (0.5, 0.5, [0.5]),
    ],
)
def test_axes_name_round_values(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_scales_put_values_in_proportion() -> None:
    assert Scale(0, 1, 100, 200)(0.25) == 125
    assert Scale(10, 1000, 0, 100, log=True)(100) == pytest.approx(50)
    assert Scale(0, 1, 100, 200)(7) == 200  # never outside the drawing
    assert Scale(3, 3, 0, 10)(3) == 5
    assert decades(300, 2_000_000) == [1e2, 1e3, 1e4, 1e5, 1e6, 1e7]
    assert decades(100, 100) == [1e2, 1e3]
    low, high = around([0.2, float("nan"), 0.4])
    assert low < 0.2 < 0.4 < high
    assert around([float("nan")]) == (0.0, 1.0)


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_every_number_can_be_read_on_its_ground(theme: Mapping[str, str]) -> None:
    for step in range(palette.STEPS):
        assert palette.contrast(theme[f"h{step}"], theme[f"t{step}"]) >= 4.5
    for ground in ("ground", "raised", "warn", "alarm"):
        assert palette.contrast(theme[ground], theme["ink"]) >= 7
    for name in ("soft", "accent"):
        assert palette.contrast(theme["ground"], theme[name]) >= 4.5
    for name in palette.SERIES:  # marks and lines
        assert palette.contrast(theme["ground"], theme[name]) >= 3
    lightness = [palette.contrast(theme[f"h{step}"], "#000000") for step in range(palette.STEPS)]
    assert lightness == sorted(lightness, reverse=theme is palette.LIGHT)  # the scale never turns back
    assert palette.contrast("#ffffff", "#000000") == pytest.approx(21)
    assert set(theme) == set(palette.LIGHT)


def test_the_scale_of_heat_maps_has_a_step_for_each_tenth() -> None:
    assert [palette.step(share) for share in (0.0, 0.0999, 0.1, 0.95, 1.0)] == [0, 0, 1, 9, 9]


def test_every_colour_of_a_rule_is_there() -> None:
    assert "var(" not in palette.fixed_rules()
    assert palette.variables({"a": "#fff", "b": "#000"}) == "--a:#fff;--b:#000"


def test_labels_are_cut_and_whole_for_a_pointer() -> None:
    canvas = Canvas(100)
    canvas.label(0, 0, "a label that is by far too long", 60)
    node = ElementTree.fromstring(f"<svg>{canvas.body}</svg>")[0]
    assert node.findtext("title") == "a label that is by far too long"
    assert "".join(part.tail or "" for part in node).endswith("…")
    assert cut("short", 100) == "short"


def test_marks_differ_in_shape() -> None:
    shapes = set()
    for shape in MARKS:
        canvas = Canvas(10)
        canvas.mark(shape, 5, 5, "one")
        node = ElementTree.fromstring(f"<svg>{canvas.body}</svg>")[0]
        shapes.add(node.tag + "".join(sign for sign in node.get("d", "") if sign.isalpha()))
    assert len(shapes) == len(MARKS)


def test_axes_stay_inside_the_chart() -> None:
    canvas = Canvas(100)
    below(canvas, Scale(0, 1, 30, 90), [0.0, 1.0], 0, 50, str, "a name that is longer than the axis")
    beside(canvas, Scale(0, 1, 50, 10), [0.0, 1.0], 30, 90, str, "upwards")
    nodes = list(ElementTree.fromstring(f"<svg>{canvas.body}</svg>").iter("text"))
    name = next(node for node in nodes if node.text == "a name that is longer than the axis")
    assert float(name.get("x", "")) >= len(name.text or "") * 2.8
    assert [node.text for node in nodes if node.text in ("0.0", "1.0")] == ["0.0", "1.0"] * 2


def test_text_that_xml_cannot_hold_breaks_no_file() -> None:
    panel = Panel("\x00 & <b>", 'a "quoted" \x1b desc', 10, 10, "")
    broken = Figure("x", "\x07title", ("note \ufffe",), (panel,), ("a",), (("b",),))
    for text in (inline(panel, 'x" onload="y', "t<"), standalone(broken, "sub\x0btitle", ("warn & <i>",))):
        root = ElementTree.fromstring(text)
        assert root.get("onload") is None


def test_a_drawing_has_a_title_and_a_description() -> None:
    root = ElementTree.fromstring(inline(figure().panels[0], "x", "a title"))
    assert (root.get("role"), root.get("aria-labelledby"), root.get("aria-describedby")) == ("img", "x-t", "x-d")
    assert root.findtext("title") == "a title: heading"
    assert root.findtext("desc") == "what is to be seen"


def test_a_part_that_stays_in_view_is_said_once() -> None:
    panel = Panel("", "what is to be seen", 100, 10, "<path/>", "<text>row</text>", 40)
    side, whole = ElementTree.fromstring(inline(panel, "x", "title"))
    assert side.get("aria-hidden") == "true"
    assert whole.get("role") == "img"
    assert whole.findtext("title") == "title"


def test_files_stand_alone() -> None:
    files = figure_files({"matrix": figure(), "cost": figure(heading=EVIL)}, f"sub {EVIL}", ("Generated data",))
    assert set(files) == {"matrix.svg", "matrix.png", "cost.svg"}
    assert set(figure_files({"cost": figure()}, "", (), every_png=True)) == {"cost.svg", "cost.png"}
    for name in ("matrix.svg", "cost.svg"):
        text = files[name].decode()
        root = ElementTree.fromstring(text)
        assert root.get("role") == "img"
        assert root.findtext(f"{SVG}title") == f"a title: sub {EVIL}"
        assert root.findtext(f"{SVG}desc") == "Generated data a note"
        for word in ("var(", "url(", "<script", "http://", "https://"):
            assert word not in text.replace('xmlns="http://www.w3.org/2000/svg"', ""), word
        written = "".join(root.itertext())
        for part in ("Generated data", "a note", "a title"):
            assert part in written
    with Image.open(io.BytesIO(files["matrix.png"])) as picture:
        assert picture.getpixel((0, 0))[:3] == (255, 255, 255)  # type: ignore[index]
        assert np.asarray(picture.convert("L"))[:60, :400].min() < 100  # text is drawn


def test_pixels_need_the_fonts_of_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    raster._fonts.cache_clear()
    monkeypatch.setattr(raster, "find_spec", lambda name: None)
    with pytest.raises(HarnessError, match=r"font of matplotlib"):
        raster.png('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')
    raster._fonts.cache_clear()
