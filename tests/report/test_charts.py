"""What figures show: values in their places, nothing hidden, nothing by colour alone, files that stand alone."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from harness.records import Calibration, Cost
from harness.report import read_report, words
from harness.report.charts import figures, palette, raster, report_figures, suite_figures
from harness.report.charts.calibration import calibration, curve
from harness.report.charts.confusion import confusion
from harness.report.charts.cost import cheapest, cost
from harness.report.charts.curves import curves
from harness.report.charts.figure import Figure, Panel, inline, standalone
from harness.report.charts.forest import forest, scale_of
from harness.report.charts.groups import groups
from harness.report.charts.per_class import per_class
from harness.report.charts.robustness import robustness
from harness.report.charts.scale import Scale, decades, ticks
from harness.report.charts.views import suites
from harness.report.differences import differences
from harness.report.metrics import Group, Without
from harness.report.rows import Row
from harness.report.statistics import Analysis, Comparisons, Estimate, Paired, SignFlips
from harness.report.tables import Report, Section, SuiteTable
from harness.runtime.errors import HarnessError
from tests.helpers.small_runs import BETTER, BOTH, DATA, HALF, add, add_seeds, add_suite, answers, table

ROOT = Path(__file__).parents[2]
MISSING, MINUS = words.MISSING, words.MINUS
EVIL = "<script>alert(1)</script>"
GENERATED = DATA | {"layout": "mmact", "generated": {"statement": "simulated"}}
SVG = "{http://www.w3.org/2000/svg}"


def minus(text: str) -> str:
    return text.replace("-", MINUS)


def drawn(panel: Panel) -> ElementTree.Element:
    return ElementTree.fromstring(f"<svg>{panel.body}{panel.side}</svg>")


def texts(root: ElementTree.Element) -> list[str]:
    """What is written in a drawing, without tips."""
    return ["".join([node.text or "", *(part.tail or "" for part in node)]) for node in root.iter("text")]


def marks(root: ElementTree.Element) -> list[tuple[str, float, float]]:
    """Class and place of every circle."""
    return [
        (node.get("class", ""), float(node.get("cx", "")), float(node.get("cy", ""))) for node in root.iter("circle")
    ]


def apart(mean: float, error: float) -> Paired:
    """A difference whose 95 % interval is 1.96 errors to either side."""
    known = Estimate(mean, error, 1e9)
    return Paired(Analysis(known, known, known, known, 3, (-1.0, 1.0)), SignFlips(0.25, 0.01))


def compared(folder: Path, **pairs: Any) -> tuple[SuiteTable, Section]:
    """A table of three ranked rows (best, protonet, worst) with differences that are given: best less protonet 10
    points, best less worst 30, protonet less worst 20, each with an error of 2 points."""
    add_seeds(folder, "best", BETTER)
    add_seeds(folder, "protonet", HALF)
    add_seeds(folder, "worst", [[0.0, 0.5, 0.0, 0.0]] * 3)
    found = table(folder)
    paired = [pairs.get(name, apart(mean, 0.02)) for name, mean in (("first", 0.1), ("second", 0.3), ("third", 0.2))]
    section = replace(found.sections[0], comparisons=Comparisons.of([0.9, 0.8, 0.6], paired))
    return replace(found, sections=(section,)), section


def with_metrics(found: SuiteTable, **changes: Any) -> SuiteTable:
    """The same table with other metrics in all rows."""
    sections = tuple(
        replace(section, rows=tuple(replace(row, metrics=replace(row.metrics, **changes)) for row in section.rows))
        for section in found.sections
    )
    return replace(found, sections=sections)


def rows_of(found: SuiteTable, *rows: Row) -> SuiteTable:
    return replace(found, sections=(replace(found.sections[0], rows=rows),))


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
    assert decades(300, 2_000_000) == [1e2, 1e3, 1e4, 1e5, 1e6, 1e7]


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_every_number_can_be_read_on_its_ground(theme: dict[str, str]) -> None:
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


def test_forest_shows_rows_less_the_reference_in_their_places(tmp_path: Path) -> None:
    found, section = compared(tmp_path)
    figure = forest(found)
    assert figure is not None
    (panel,) = figure.panels
    root, scale = drawn(panel), scale_of(differences(section))
    written = texts(root)
    assert written[0] == "less protonet"
    assert [text for text in written if text in ("best", "worst")] == ["best", "worst"]
    # best less protonet: as the pair has it. worst less protonet: the pair is protonet less worst, so it is turned.
    assert "+10 [+6, +14] · p < 0.001" in written
    assert minus("-20 [-24, -16] · p < 0.001") in written
    assert [(look, x) for look, x, _ in marks(root)] == [
        ("one-mark", pytest.approx(scale(0.1), abs=0.06)),
        ("one-mark", pytest.approx(scale(-0.2), abs=0.06)),
    ]
    thick = [node.get("d") for node in root.iter("path") if node.get("class") == "one thick"]
    assert thick[0] is not None
    start, end = (float(part.split()[0]) for part in thick[0].removeprefix("M").split("L"))
    assert start == pytest.approx(scale(0.1 - 1.96 * 0.02), abs=0.06)
    assert end == pytest.approx(scale(0.1 + 1.96 * 0.02), abs=0.06)
    thin = [node.get("d") for node in root.iter("path") if node.get("class") == "one"]
    assert thin[0] is not None
    assert float(thin[0][1:].split()[0]) < start  # the simultaneous interval is wider
    assert figure.cells[0] == (
        section.heading,
        "best",
        "protonet",
        "+10 [+6, +14]",
        "[+5, +15]",
        "< 0.001",
        "< 0.001",
        "0.25",
    )
    assert figure.cells[1][1:5] == ("worst", "protonet", minus("-20 [-24, -16]"), minus("[-25, -15]"))
    assert "best +10 [+6, +14] points" in panel.description


def test_forest_marks_what_cannot_be_told_apart_by_shape(tmp_path: Path) -> None:
    figure = forest(compared(tmp_path, first=apart(0.01, 0.02))[0])
    assert figure is not None
    assert [look for look, *_ in marks(drawn(figure.panels[0]))] == ["one hollow", "one-mark"]


def test_forest_bears_intervals_that_are_not_available(tmp_path: Path) -> None:
    nothing = Estimate(0.05, math.nan, 0.0, "not available: 1 subject")
    pair = Paired(Analysis(nothing, nothing, nothing, nothing, 3, (-1.0, 1.0)), SignFlips(math.nan, 1.0))
    figure = forest(compared(tmp_path, first=pair)[0])
    assert figure is not None
    assert "nan" not in figure.panels[0].body
    assert figure.cells[0][5:] == (MISSING, MISSING, MISSING)


def test_forest_needs_episodes_and_rivals(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "better", BETTER)
    assert forest(table(tmp_path)) is None
    add_suite(tmp_path, 4)
    figure = forest(table(tmp_path))
    assert figure is not None
    assert figure.cells[0][1:3] == ("half", "better")  # no protonet: less the best row


def test_heat_map_has_every_number_on_its_place_of_the_scale(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    figure = per_class(table(tmp_path))
    assert figure is not None
    assert figure.header == ("row", "alpha", "beta", "gamma")
    root = drawn(figure.panels[0])
    shown = [text for text in texts(root) if text.isdigit() or text == MISSING]
    assert shown == ["25", "75", MISSING]
    looks = [node.get("class") for node in root.iter("rect") if float(node.get("height", "")) > 15]
    assert looks == ["h2", "h7", "ground"]
    assert figure.cells == (("half, video, frozen", "25", "75", MISSING),)
    assert "worst on alpha (25 %) and best on beta (75 %)" in figure.panels[0].description


def test_heat_map_keeps_long_names_for_who_points_at_them(tmp_path: Path) -> None:
    long = "a method with a name that is longer than any label of a heat map has room for, by far"
    add_seeds(tmp_path, long, HALF)
    figure = per_class(table(tmp_path))
    assert figure is not None
    root = drawn(figure.panels[0])
    assert any(text.endswith("…") for text in texts(root))
    assert long in [node.text for node in root.iter("title")]


def test_confusion_is_of_the_best_row_in_shares_of_the_true_class(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "better", BETTER)
    figure = confusion(table(tmp_path))
    assert figure is not None
    assert "better" in figure.title
    assert figure.cells == (("alpha", "25", "75", "0"), ("beta", "25", "75", "0"), ("gamma", MISSING, MISSING, MISSING))
    assert "alpha for beta, 75 % of the queries of alpha" in figure.panels[0].description


def test_calibration_error_and_points_are_those_of_the_counts(tmp_path: Path) -> None:
    """100 queries 90 % sure, 60 of them right; 300 queries 50 % sure, 150 right: (30 + 0) / 400 = 7.5 points."""
    known = Calibration(
        queries=(0, 0, 0, 0, 0, 300, 0, 0, 0, 100),
        confidence=(0, 0, 0, 0, 0, 150.0, 0, 0, 0, 90.0),
        correct=(0, 0, 0, 0, 0, 150, 0, 0, 0, 60),
    )
    assert curve(known) == [(0.5, 0.5, 0.75), (0.9, 0.6, 0.25)]
    add_seeds(tmp_path, "half", HALF)
    add(tmp_path, "random", 0, answers([1.0, 0.0] * 2), regime="untrained")
    assert calibration(table(tmp_path)) is None
    figure = calibration(with_metrics(table(tmp_path), calibration=known))
    assert figure is not None
    (panel,) = figure.panels  # the control's scores are no probabilities
    assert panel.heading == "half, video, frozen"
    assert "ECE 7.5" in texts(drawn(panel))
    assert figure.cells[0][1] == "7.5"
    assert figure.cells[0][-1] == "60.0 % right of 100"
    (_, x1, y1), (_, x2, y2) = marks(drawn(panel))
    assert x1 - 28 == pytest.approx(160 - y1, abs=0.2)  # on the diagonal
    assert x2 - 28 > 160 - y2  # below it: too sure


def test_cost_fills_the_rows_that_nothing_cheaper_beats(tmp_path: Path) -> None:
    assert cheapest([(1, 0.5), (2, 0.4), (2, 0.6), (3, 0.6)]) == [True, False, True, True]
    add_seeds(tmp_path, "half", HALF, parameters={"total": 1000, "trained": 10})
    add_seeds(tmp_path, "better", BETTER, parameters={"total": 100_000, "trained": 10})
    add_seeds(tmp_path, "dear", HALF, parameters={"total": 10_000_000, "trained": 10})
    figure = cost(table(tmp_path))
    assert figure is not None
    (panel,) = figure.panels  # operations are not recorded
    found = {look: x for look, x, y in marks(drawn(panel)) if y > 20 and look == "one hollow"}
    assert len(found) == 1
    half, better = sorted(x for look, x, y in marks(drawn(panel)) if y > 20 and look == "one-mark")
    assert found["one hollow"] - better == pytest.approx(better - half, abs=0.2)  # two decades each
    assert "half, video, frozen (1.0k" in figure.notes[1]
    assert "dear" not in figure.notes[1]
    with_operations = cost(with_metrics(table(tmp_path), cost=Cost(clip=5_000_000, episode=7)))
    assert with_operations is not None
    assert len(with_operations.panels) == 2
    assert with_operations.cells[0][-1] == "5,000,000"


def test_modalities_differ_in_shape(tmp_path: Path) -> None:
    for modalities in (("video",), ("sensors",), BOTH):
        add_seeds(tmp_path, "half", HALF, modalities=modalities, training_digest=f"{len(modalities[0])}" * 64)
    figure = cost(table(tmp_path))
    assert figure is not None
    root = drawn(figure.panels[0])
    assert {"video", "sensors", "both"} <= set(texts(root))
    filled = [node for node in root.iter() if str(node.get("class")).endswith("-mark")]
    shapes = {node.get("class"): node.tag + "".join(c for c in node.get("d", "") if c.isalpha()) for node in filled}
    assert len(set(shapes.values())) == len(shapes) == 3


def test_learning_curves_mark_what_was_kept(tmp_path: Path) -> None:
    note = {"state": "5" * 64, "selection": [[10, 0.3], [20, 0.4]], "best_step": 20}
    for seed, kept in enumerate((1, 3, 3)):
        trace = [(1, 0.5), (2, 0.6), (3, 0.7)]
        add(tmp_path, "half", seed, answers(HALF[0]), selection=trace, best_step=kept, encoders={"video": note})
        add(tmp_path, "half", seed, answers(HALF[0]), suite="test-cross-subject", selection=trace, best_step=kept)
    add(tmp_path, "random", 0, answers([1.0, 0.0] * 2), regime="untrained", selection=[])
    figure = curves(read_report(tmp_path))
    assert figure is not None
    assert [panel.heading for panel in figure.panels] == ["half, video, frozen"]  # once for both suites
    assert figure.cells[0] == ("half, video, frozen", "0", "1", "50.0", "1: 50.0 · 2: 60.0 · 3: 70.0")
    assert "seed 0: step 1 kept, 50.0 %; seed 1: step 3 kept, 70.0 %" in figure.panels[0].description
    (_, left, lower), *_ = marks(drawn(figure.panels[0]))
    squares = [node for node in drawn(figure.panels[0]).iter("path") if node.get("class") == "two-mark"]
    x, y = (float(part) for part in squares[0].get("d", "")[1:].split("h")[0].split())
    assert x > left  # a later step
    assert y < lower  # a higher accuracy
    dashes = {node.get("class") for node in drawn(figure.panels[0]).iter("path")} & {"one", "two dash", "three"}
    assert len(dashes) == 3


def test_learning_curves_of_shared_encoders_come_first(tmp_path: Path) -> None:
    note = {"state": "5" * 64, "selection": [[10, 0.3], [20, 0.4]], "best_step": 20}
    add_seeds(tmp_path, "half", HALF, encoders={"video": note})
    figure = curves(read_report(tmp_path))
    assert figure is not None
    assert [panel.heading for panel in figure.panels] == ["shared video encoder", "half, video, frozen"]
    assert figure.cells[0] == ("shared video encoder", "0", "20", "40.0", "10: 30.0 · 20: 40.0")
    assert figure.cells[1][0] == "half, video, frozen"  # one state for all seeds: one curve


def test_robustness_says_what_is_lost(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF, modalities=BOTH)
    assert robustness(table(tmp_path)) is None
    lost = (Without("video", 100, 0.4, 0.7), Without("gyro", 100, 0.72, 0.7))
    figure = robustness(with_metrics(table(tmp_path), without=lost))
    assert figure is not None
    (panel,) = figure.panels
    assert [text for text in texts(drawn(panel)) if "without" in text or text[0] in f"+{MINUS}"] == [
        *("without video", minus("-30.0")),
        *("without gyro", "+2.0"),
    ]
    looks = [(look, x) for look, x, _ in marks(drawn(panel))]
    assert [look for look, _ in looks] == ["one hollow", "one-mark"] * 2
    assert looks[1][1] < looks[0][1] == looks[2][1] < looks[3][1]
    assert figure.cells[0] == ("half, both, frozen", "video", "100", "70.0", "40.0", minus("-30.0"))
    assert any("first 100 episodes" in note for note in figure.notes)


def test_groups_are_heat_maps_by_subject_and_camera(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    assert groups(table(tmp_path)) == []
    found = {
        "subject": (Group("s1", 40, 0.5), Group("s2", 60, 1.0)),
        "camera": (Group("left", 50, 0.25), Group("right", 50, 0.75)),
    }
    subjects, cameras = groups(with_metrics(table(tmp_path), groups=found))
    assert (subjects.name, cameras.name) == ("subjects", "cameras")
    assert subjects.cells == (("half, video, frozen", "50.0", "100.0"),)
    assert "subject s1: 40; subject s2: 60" in subjects.notes[0]
    assert {"s1", "s2", "50", "100"} <= set(texts(drawn(subjects.panels[0])))


def test_what_is_not_recorded_is_left_out(tmp_path: Path) -> None:
    add(tmp_path, "random", 0, answers([1.0, 0.0] * 2), regime="untrained", parameters={}, selection=[])
    assert [figure.name for figure in suite_figures(table(tmp_path))] == ["classes"]
    assert report_figures(read_report(tmp_path)) == []


def test_recipes_are_views_of_a_suite_only_where_it_has_both(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add(tmp_path, "random", 0, answers([1.0, 0.0] * 2), regime="untrained")
    (suite,) = suites(read_report(tmp_path))
    assert [(view.slug, view.recipe) for view in suite.views] == [("test", "")]
    add(tmp_path, "paper", 0, answers(BETTER[0]), recipe="published", training_digest="7" * 64)
    (suite,) = suites(read_report(tmp_path))
    assert [view.slug for view in suite.views] == ["test-matched", "test-published"]
    labels = [[row.label for row in view.table.rows] for view in suite.views]
    assert labels == [["half", "random"], ["paper", "random"]]


def test_names_of_files_are_safe_and_different(tmp_path: Path) -> None:
    add(tmp_path, "half", 0, answers(HALF[0]), suite="../../etc/x")
    add(tmp_path, "half", 0, answers(HALF[0]), suite="<b>", tag="b")
    add(tmp_path, "half", 0, answers(HALF[0]), suite="</b>", tag="b")
    names = list(figures(read_report(tmp_path)))
    assert len(set(names)) == len(names) > 3
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for name in names)


def renamed(report: Report, name: str) -> Report:
    """All that names come from, by another name: methods, labels, headings, classes."""
    trainings = {each.id: each.model_copy(update={"method": name}) for each in report.trainings}
    tables = []
    for found in report.suites:
        classes = tuple(f"{name} {each}" for each in found.classes)
        sections = [
            replace(
                section,
                heading=name,
                rows=tuple(
                    replace(
                        row,
                        label=f"{name} {row.label}",
                        classes=classes,
                        trainings=tuple(trainings[each.id] for each in row.trainings),
                    )
                    for row in section.rows
                ),
            )
            for section in found.sections
        ]
        tables.append(replace(found, sections=tuple(sections), classes=classes))
    return replace(report, suites=tuple(tables), trainings=tuple(trainings.values()))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Records of two rows that can be compared, on generated data."""
    add_suite(tmp_path, 4)
    add_seeds(tmp_path, "half", HALF, data=GENERATED, modalities=BOTH)
    add_seeds(tmp_path, "protonet", BETTER, data=GENERATED, modalities=BOTH)
    return tmp_path


def test_files_stand_alone(two: Path) -> None:
    files = figures(renamed(read_report(two), EVIL))
    assert {"test-differences.svg", "test-differences.png", "test-cost.png", "table.png"} <= set(files)
    for name, content in files.items():
        if name.endswith(".png"):
            with Image.open(io.BytesIO(content)) as picture:
                assert picture.getpixel((0, 0))[:3] == (255, 255, 255)  # type: ignore[index]
                assert np.asarray(picture.convert("L"))[:60, :400].min() < 100  # text is drawn
            continue
        root = ElementTree.fromstring(content)
        assert root.get("role") == "img"
        assert root.find(f"{SVG}title") is not None
        assert root.find(f"{SVG}desc") is not None
        text = content.decode()
        assert "var(" not in text  # colours of its own
        assert "url(" not in text
        assert "<script" not in text
        assert "&lt;script&gt;" in text
        assert "Generated data" in "".join(root.itertext())


def test_same_records_same_files(two: Path) -> None:
    code = f"""
import hashlib, pathlib, sys
from harness.report import read_report, words
from harness.report.charts import figures
for name, content in sorted(figures(read_report(pathlib.Path({str(two)!r}))).items()):
    print(name, hashlib.sha256(content).hexdigest())
assert not {{"torch", "timm", "pandas", "matplotlib"}} & set(sys.modules)
"""
    run = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    assert run[0] == run[1] != b""


def test_text_that_xml_cannot_hold_breaks_no_file() -> None:
    panel = Panel("\x00 & <b>", 'a "quoted" \x1b desc', 10, 10, "")
    figure = Figure("x", "\x07title", ("note \ufffe",), (panel,), ("a",), (("b",),))
    for text in (inline(panel, 'x" onload="y', "t<"), standalone(figure, "sub\x0btitle", ("warn & <i>",))):
        root = ElementTree.fromstring(text)
        assert root.get("onload") is None


def test_a_part_that_stays_in_view_is_said_once() -> None:
    panel = Panel("", "what is seen", 100, 10, "<path/>", "<text>row</text>", 40)
    root = ElementTree.fromstring(inline(panel, "x", "title"))
    side, whole = root
    assert side.get("aria-hidden") == "true"
    assert whole.get("role") == "img"
    assert whole.findtext("title") == "title"


def test_pixels_need_matplotlibs_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    raster._fonts.cache_clear()
    monkeypatch.setattr(raster, "find_spec", lambda name: None)
    with pytest.raises(HarnessError, match=r"font of matplotlib"):
        raster.png('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')
    raster._fonts.cache_clear()


def test_confidence_of_no_query_is_no_point() -> None:
    nothing = Calibration(queries=(0,) * 10, confidence=(0.0,) * 10, correct=(0,) * 10)
    assert curve(nothing) == []
    assert np.isfinite(palette.step(1.0))
    assert [palette.step(share) for share in (0.0, 0.0999, 0.1, 0.95, 1.0)] == [0, 0, 1, 9, 9]
