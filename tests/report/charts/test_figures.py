"""What figures show: values in their places, nothing by colour alone, the same figures as a table."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from mmact_oneshot.harness.records import Calibration, Operations, PretrainingRecord, RecordFolder
from mmact_oneshot.harness.report import Report, read_report
from mmact_oneshot.harness.report.charts.ablations import ablations
from mmact_oneshot.harness.report.charts.calibration import calibration, curve
from mmact_oneshot.harness.report.charts.confusion import confusion
from mmact_oneshot.harness.report.charts.cost import cheapest, cost
from mmact_oneshot.harness.report.charts.figure import Panel
from mmact_oneshot.harness.report.charts.forest import forest, scale_of
from mmact_oneshot.harness.report.charts.groups import groups
from mmact_oneshot.harness.report.charts.learning_curves import learning_curves
from mmact_oneshot.harness.report.charts.matrix import matrix_chart
from mmact_oneshot.harness.report.charts.per_class import per_class
from mmact_oneshot.harness.report.formats import MINUS, MISSING
from mmact_oneshot.harness.report.metrics.calibration_error import calibration_error
from mmact_oneshot.harness.report.model.blocks import Chart
from mmact_oneshot.harness.report.model.document import document
from mmact_oneshot.harness.report.results.metric import Answers
from mmact_oneshot.harness.report.results.metrics import Ablated, Group
from mmact_oneshot.harness.report.results.report import StudySuite
from mmact_oneshot.harness.report.statistics import Analysis, Comparisons, Estimate, Paired, SignFlips
from tests.helpers.small_runs import (
    BETTER,
    BOTH,
    HALF,
    add,
    add_control,
    add_pretraining,
    add_seeds,
    add_study,
    add_suite,
    answers,
    study_suite,
)


def minus(text: str) -> str:
    return text.replace("-", MINUS)


def drawn(panel: Panel) -> ElementTree.Element:
    return ElementTree.fromstring(f"<svg>{panel.body}{panel.side}</svg>")


def texts(root: ElementTree.Element) -> list[str]:
    """What is written in a drawing, without tips."""
    return ["".join([node.text or "", *(part.tail or "" for part in node)]) for node in root.iter("text")]


def circles(root: ElementTree.Element) -> list[tuple[str, float, float]]:
    """Class and place of every circle."""
    return [
        (node.get("class", ""), float(node.get("cx", "")), float(node.get("cy", ""))) for node in root.iter("circle")
    ]


def apart(mean: float, error: float) -> Paired:
    """A difference whose 95 % interval is 1.96 errors to either side."""
    known = Estimate(mean, error, 1e9)
    return Paired(Analysis(known, known, known, known, 3, (-1.0, 1.0)), SignFlips(0.25, 0.01))


def compared(folder: Path, **pairs: Paired) -> StudySuite:
    """Three ranked rows, the reference in the middle: best minus reference 10 points, best minus worst 30, reference
    minus worst 20, each with an error of 2 points."""
    add_study(folder, reference={"method": "reference"})
    for name, accuracies in (("best", BETTER), ("reference", HALF), ("worst", [[0.0, 0.5, 0.0, 0.0]] * 3)):
        add_seeds(folder, name, accuracies)
    found = study_suite(folder)
    paired = [pairs.get(name, apart(mean, 0.02)) for name, mean in (("first", 0.1), ("second", 0.3), ("third", 0.2))]
    ranking = replace(found.rankings["video"], comparisons=Comparisons.of([0.9, 0.8, 0.6], paired))
    return replace(found, rankings={"video": ranking})


def with_metrics(results: StudySuite, **changes: Any) -> StudySuite:
    """The same results with other metrics in all rows."""
    for row in results.rows:
        found = replace(row.measured.metrics, **changes)
        if row.measured.trained and found.calibration is not None:
            nothing = np.zeros((0, 1), np.int64)
            sure = Answers(nothing, nothing, nothing, nothing, nothing, (), (), nothing, found.calibration)
            found = replace(found, values=found.values | {calibration_error: calibration_error.function(sure)})
        row.measured.__dict__["metrics"] = found
    return results


def test_every_figure_has_a_title_a_table_and_a_text_for_each_panel(rich_report: Report, rich: Path) -> None:
    figures = [block.figure for block in document(rich_report, rich / "records").blocks() if isinstance(block, Chart)]
    assert {figure.name for figure in figures} == {
        "differences", "classes", "confusion", "cost", "calibration", "ablations", "subjects", "cameras",
        "learning-curves",
    }  # fmt: skip
    for figure in figures:
        assert figure.title
        assert figure.notes
        assert figure.cells
        assert all(len(line) == len(figure.header) for line in figure.cells)
        assert all(len(panel.description) > 5 for panel in figure.panels)
        assert "nan" not in "".join(panel.body for panel in figure.panels)


def test_figures_have_files_of_their_own_in_the_first_suite_of_a_study(rich_report: Report, rich: Path) -> None:
    charts = [block for block in document(rich_report, rich / "records").blocks() if isinstance(block, Chart)]
    names = [chart.file for chart in charts if chart.file]
    assert len(set(names)) == len(names) > 15
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in names)
    assert "methods-test-differences" in names


def test_the_forest_shows_the_reference_minus_every_row_in_its_place(tmp_path: Path) -> None:
    found = compared(tmp_path)
    figure = forest(found)
    assert figure is not None
    (panel,) = figure.panels
    root, scale = drawn(panel), scale_of(found.against("video"))
    written = texts(root)
    assert written[0] == "reference minus:"
    assert [text for text in written if text in ("best", "worst")] == ["best", "worst"]
    # reference minus worst: as the pair has it. best minus reference: turned.
    assert minus("-10 [-14, -6] · p < 0.001") in written
    assert "+20 [+16, +24] · p < 0.001" in written
    assert [(style, x) for style, x, _ in circles(root)] == [
        ("one-mark", pytest.approx(scale(-0.1), abs=0.06)),
        ("one-mark", pytest.approx(scale(0.2), abs=0.06)),
    ]
    thick = [node.get("d", "") for node in root.iter("path") if node.get("class") == "one thick"]
    start, end = (float(part.split()[0]) for part in thick[1].removeprefix("M").split("L"))
    assert start == pytest.approx(scale(0.2 - 1.96 * 0.02), abs=0.06)
    assert end == pytest.approx(scale(0.2 + 1.96 * 0.02), abs=0.06)
    thin = [node.get("d", "") for node in root.iter("path") if node.get("class") == "one"]
    assert min(float(each[1:].split()[0]) for each in thin[3:]) < start  # the simultaneous interval is wider
    assert figure.cells[0] == (
        "video", "reference", "best", minus("-10 [-14, -6]"), minus("[-15, -5]"), "< 0.001", "< 0.001", "0.25",
    )  # fmt: skip
    assert figure.cells[1][2:5] == ("worst", "+20 [+16, +24]", "[+15, +25]")
    assert "reference minus worst +20 [+16, +24] points" in panel.description


def test_what_does_not_differ_significantly_is_hollow(tmp_path: Path) -> None:
    figure = forest(compared(tmp_path, first=apart(0.01, 0.02)))
    assert figure is not None
    assert [style for style, *_ in circles(drawn(figure.panels[0]))] == ["one hollow", "one-mark"]


def test_the_forest_bears_intervals_that_are_not_available(tmp_path: Path) -> None:
    nothing = Estimate(0.05, math.nan, 0.0, "not available: 1 subject")
    pair = Paired(Analysis(nothing, nothing, nothing, nothing, 3, (-1.0, 1.0)), SignFlips(math.nan, 1.0))
    figure = forest(compared(tmp_path, first=pair))
    assert figure is not None
    assert "nan" not in figure.panels[0].body
    assert figure.cells[0][5:] == (MISSING, MISSING, MISSING)


def test_the_forest_needs_rivals(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    assert forest(study_suite(tmp_path)) is None


def test_the_heat_map_has_every_number_on_its_place_of_the_scale(tmp_path: Path) -> None:
    """Of the queries of alpha all are right, of beta none; gamma is not asked for."""
    episodes = add_suite(tmp_path, 40)
    wrong = answers([1.0] * 40)
    wrong[episodes.drawn == 1] = 1 - wrong[episodes.drawn == 1]
    for seed in range(3):
        add(tmp_path, "half", seed, wrong)
    figure = per_class(study_suite(tmp_path))
    assert figure is not None
    assert figure.header == ("row", "alpha", "beta", "gamma")
    root = drawn(figure.panels[0])
    assert [text for text in texts(root) if text.replace(".", "").isdigit()] == ["100.0", "0.0", "100.0"]
    steps = [node.get("class") for node in root.iter("rect") if str(node.get("class"))[0] == "h"][:3]
    assert steps == ["h9", "h0", "h9"]
    assert figure.cells == (("half, video", "100.0", "0.0", "100.0"),)
    assert "worst on beta (0 %) and best on gamma (100 %)" in figure.panels[0].description


def test_a_class_that_was_never_asked_for_has_no_number(tmp_path: Path) -> None:
    add_suite(tmp_path, 4, classes=("alpha", "beta", "gamma", "delta"))
    add_seeds(tmp_path, "half", HALF)
    figure = per_class(study_suite(tmp_path))
    assert figure is not None
    assert figure.cells[0][-1] == MISSING
    assert MISSING in texts(drawn(figure.panels[0]))


def test_long_names_are_kept_for_a_pointer(tmp_path: Path) -> None:
    long = "a method with a name that is longer than any label of a heat map has room for, by far"
    add_seeds(tmp_path, long, HALF)
    figure = per_class(study_suite(tmp_path))
    assert figure is not None
    root = drawn(figure.panels[0])
    assert any(text.endswith("…") for text in texts(root))
    assert long in [node.text for node in root.iter("title")]


def test_the_confusion_matrix_is_of_the_best_row_in_shares_of_the_true_class(tmp_path: Path) -> None:
    """Everything is taken for the other class of its episode."""
    episodes = add_suite(tmp_path, 40)
    for seed in range(3):
        add(tmp_path, "wrong", seed, answers([0.0] * 40))
    add_control(tmp_path, [1.0] * 40)
    figure = confusion(study_suite(tmp_path))
    assert figure is not None
    assert figure.title == "Confusion matrix of wrong, video"
    mistaken = sum(1 for drawn_pair in episodes.drawn.tolist() if set(drawn_pair) == {0, 1})
    asked = sum(1 for drawn_pair in episodes.drawn.tolist() if 0 in drawn_pair)
    assert figure.cells[0][:3] == ("alpha", "0", f"{100 * mistaken / asked:.0f}")
    assert figure.panels[0].description.startswith("Most often mistaken: ")
    add_control(tmp_path / "none", [1.0] * 4)
    assert confusion(study_suite(tmp_path / "none")) is None


def test_calibration_errors_and_points_are_those_of_the_counts(tmp_path: Path) -> None:
    """100 queries 90 % sure, 60 of them right; 300 queries 50 % sure, 150 right: (30 + 0) / 400 = 7.5 points."""
    known = Calibration(
        queries=(0, 0, 0, 0, 0, 300, 0, 0, 0, 100),
        confidence=(0, 0, 0, 0, 0, 150.0, 0, 0, 0, 90.0),
        correct=(0, 0, 0, 0, 0, 150, 0, 0, 0, 60),
    )
    assert curve(known) == [(0.5, 0.5, 0.75), (0.9, 0.6, 0.25)]
    add_seeds(tmp_path, "half", HALF)
    add_control(tmp_path, [1.0, 0.0] * 2)
    assert calibration(study_suite(tmp_path)) is None
    figure = calibration(with_metrics(study_suite(tmp_path), calibration=known))
    assert figure is not None
    (panel,) = figure.panels  # the control's scores are no probabilities
    assert panel.heading == "half, video"
    assert "ECE 7.5" in texts(drawn(panel))
    assert (figure.cells[0][1], figure.cells[0][-1]) == ("7.5", "60.0 % right of 100")
    (_, x1, y1), (_, x2, y2) = circles(drawn(panel))
    assert x1 - 28 == pytest.approx(160 - y1, abs=0.2)  # on the diagonal
    assert x2 - 28 > 160 - y2  # below it: too sure
    nothing = Calibration(queries=(0,) * 10, confidence=(0.0,) * 10, correct=(0,) * 10)
    assert curve(nothing) == []
    assert calibration(with_metrics(study_suite(tmp_path), calibration=nothing)) is None


def test_cost_fills_the_rows_that_nothing_cheaper_beats(tmp_path: Path) -> None:
    assert cheapest([(1, 0.5), (2, 0.4), (2, 0.6), (3, 0.6)]) == [True, False, True, True]
    for name, accuracies, total in (("half", HALF, 1000), ("better", BETTER, 100_000), ("dear", HALF, 10_000_000)):
        add_seeds(tmp_path, name, accuracies, parameters={"total": total, "trained": 10})
    figure = cost(study_suite(tmp_path))
    assert figure is not None
    (panel,) = figure.panels  # operations are not recorded
    hollow = [x for style, x, y in circles(drawn(panel)) if y > 20 and style == "one hollow"]
    half, better = sorted(x for style, x, y in circles(drawn(panel)) if y > 20 and style == "one-mark")
    assert len(hollow) == 1
    assert hollow[0] - better == pytest.approx(better - half, abs=0.2)  # two decades each
    assert "half, video (1.0k" in panel.description
    assert "dear" not in panel.description
    with_operations = cost(with_metrics(study_suite(tmp_path), operations=Operations(clip=5_000_000, episode=7)))
    assert with_operations is not None
    assert len(with_operations.panels) == 2
    assert with_operations.cells[0][-1] == "5,000,000"


def test_modalities_differ_in_shape(tmp_path: Path) -> None:
    for modalities in (("video",), ("sensors",), BOTH):
        add_seeds(tmp_path, "half", HALF, modalities=modalities)
    figure = cost(study_suite(tmp_path))
    assert figure is not None
    root = drawn(figure.panels[0])
    assert {"video", "sensors", "both"} <= set(texts(root))
    filled = [node for node in root.iter() if str(node.get("class")).endswith("-mark")]
    shapes = {node.get("class"): node.tag + "".join(c for c in node.get("d", "") if c.isalpha()) for node in filled}
    assert len(set(shapes.values())) == len(shapes) == 3


def test_learning_curves_mark_what_was_kept(tmp_path: Path) -> None:
    for seed, kept in enumerate((1, 3, 3)):
        trace = [(1, 0.5), (2, 0.6), (3, 0.7)]
        add(tmp_path, "half", seed, answers(HALF[0]), validations=trace, best_step=kept)
    rows = {row.name: row.measured.trainings for row in study_suite(tmp_path).rows}
    figure = learning_curves(rows, [])
    assert figure is not None
    (panel,) = figure.panels
    assert figure.cells[0] == ("half, video", "0", "1", "50.0", MISSING, "1: 50.0 · 2: 60.0 · 3: 70.0")
    assert "seed 0: step 1 kept, 50.0 %; seed 1: step 3 kept, 70.0 %" in panel.description
    ((_, left, lower),) = circles(drawn(panel))
    (square,) = [node for node in drawn(panel).iter("path") if node.get("class") == "two-mark"]
    x, y = (float(part) for part in square.get("d", "")[1:].split("h")[0].split())
    assert x > left  # a later step
    assert y < lower  # a higher accuracy
    dashes = {node.get("class") for node in drawn(panel).iter("path")} & {"one", "two dash", "three"}
    assert len(dashes) == 3


def test_probes_of_pretrainings_have_curves_by_modality_and_seed(tmp_path: Path) -> None:
    for seed in (0, 1):
        probes = [(step, {"video": 0.2 + step / 50, "sensors": 0.3}) for step in range(seed, 6)]
        add_pretraining(tmp_path, seed=seed, probes=probes)
    figure = learning_curves({}, RecordFolder(tmp_path).all(PretrainingRecord))
    assert figure is not None
    assert [panel.heading for panel in figure.panels] == [
        "probe of sensors, mu_mae pre-training on video and sensors",
        "probe of video, mu_mae pre-training on video and sensors",
    ]
    assert figure.panels[1].description == "seed 0: step 5 kept, 30.0 %; seed 1: step 5 kept, 30.0 %"
    assert [line[4] for line in figure.cells] == ["+0.0", MISSING, "+4.0", MISSING], "five probes are too few"


def test_learning_curves_of_shared_encoders_come_first_and_once(tmp_path: Path) -> None:
    note = {"state": "5" * 64, "validations": [(10, 0.3), (20, 0.4)], "best_step": 20}
    for name, changes in (
        ("half", {}),
        ("begun", {"encoder": "transformer", "initialisation": "mu_mae"}),
        ("long", {"initialisation": "prolonged"}),
    ):
        add_seeds(tmp_path, name, HALF, encoders={"video": note}, **changes)
    rows = {row.name: row.measured.trainings for row in study_suite(tmp_path).rows}
    figure = learning_curves(rows, [])
    assert figure is not None
    headings = [panel.heading for panel in figure.panels]
    assert headings[:3] == [
        "warm start of the video encoder",
        "warm start of the video encoder (prolonged)",
        "warm start of the video encoder (transformer, from mu_mae)",
    ]
    assert sorted(headings[3:]) == ["begun, video", "half, video", "long, video"]
    assert figure.cells[0] == (headings[0], "0", "20", "40.0", MISSING, "10: 30.0 · 20: 40.0")
    assert [line[0] for line in figure.cells].count(headings[0]) == 1, "one state for all seeds: one curve"
    assert learning_curves({}, []) is None


def test_ablations_show_what_is_missing_and_what_is_gained(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF, modalities=BOTH)
    assert ablations(study_suite(tmp_path)) is None
    tested = (Ablated("video", 100, 0.4, 0.7), Ablated("gyro", 100, 0.72, 0.7))
    figure = ablations(with_metrics(study_suite(tmp_path), ablations=tested))
    assert figure is not None
    (panel,) = figure.panels
    assert [text for text in texts(drawn(panel)) if "without" in text or text[0] in f"+{MINUS}"] == [
        *("without video", minus("-30.0")),
        *("without gyro", "+2.0"),
    ]
    styles = [(style, x) for style, x, _ in circles(drawn(panel))]
    assert [style for style, _ in styles] == ["one hollow", "one-mark"] * 2
    assert styles[1][1] < styles[0][1] == styles[2][1] < styles[3][1]
    assert figure.cells[0] == ("half, both", "video", "100", "70.0", "40.0", minus("-30.0"))
    assert any("First 100 episodes" in note for note in figure.notes)


def test_groups_are_heat_maps_by_subject_and_camera(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    assert groups(with_metrics(study_suite(tmp_path), groups={})) == []
    found = {
        "subject": (Group("s1", 40, 0.5), Group("s2", 60, 1.0)),
        "camera": (Group("left", 50, 0.25), Group("right", 50, 0.75)),
    }
    subjects, cameras = groups(with_metrics(study_suite(tmp_path), groups=found))
    assert (subjects.name, cameras.name) == ("subjects", "cameras")
    assert subjects.cells == (("half, video", "50.0", "100.0"),)
    assert "subject s1: 40; subject s2: 60" in subjects.notes[1]
    assert {"s1", "s2", "50", "100"} <= set(texts(drawn(subjects.panels[0])))


def test_the_matrix_is_drawn_to_scale(tmp_path: Path) -> None:
    add_suite(tmp_path, 40)
    for name, mean in (("good", 0.9), ("bad", 0.4)):
        for seed in range(3):
            right = [1.0] * int(40 * mean) + [0.0] * (40 - int(40 * mean))
            add(tmp_path, name, seed, answers(right))
    add_control(tmp_path, [1.0, 0.0] * 20)
    results = study_suite(tmp_path)
    figure = matrix_chart(results, "a caption")
    (panel,) = figure.panels
    root = drawn(panel)
    assert texts(root)[0] == "video"
    assert {"good", "bad", "random"} <= set(texts(root))
    filled, other, control = circles(root)
    assert (filled[0], other[0], control[0]) == ("one-mark", "one-mark", "one hollow")
    assert (filled[1] - other[1]) / 132 == pytest.approx(0.5, abs=0.01)
    assert figure.cells[0][0] == "good"
    assert figure.cells[0][1].startswith("90 [")
    assert "good, video 90 [" in panel.description
    assert figure.notes[0] == "a caption"


def test_what_is_not_recorded_is_left_out(tmp_path: Path) -> None:
    add_control(tmp_path, [1.0, 0.0] * 2, parameters={})
    report = read_report(tmp_path)
    names = [block.figure.name for block in document(report, tmp_path).blocks() if isinstance(block, Chart)]
    assert names == ["classes", "subjects", "cameras"]
