"""The page: whole, alone, accessible, safe with any name, readable without scripts."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from markupsafe import escape

from mmact_oneshot.harness.report import HELD, read_report, write_report
from mmact_oneshot.harness.report.charts import palette
from mmact_oneshot.harness.report.model.blocks import Document, Items, Links, Paragraph, Section, plain_table
from mmact_oneshot.harness.report.model.document import document
from mmact_oneshot.harness.report.writers.html import html
from mmact_oneshot.harness.report.writers.html.page import code, image_uri
from tests.helpers.html_page import Page
from tests.helpers.rich_runs import PIXEL, rich_run
from tests.helpers.small_runs import (
    BETTER,
    GENERATED,
    HALF,
    add_control,
    add_pretraining,
    add_seeds,
    add_skipped,
    add_suite,
)

EVIL = "<script>alert(1)</script>"
CHROMIUM = shutil.which("chromium")
BROWSER = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


def page_of(folder: Path) -> str:
    report = read_report(folder)
    return html(document(report, folder), {})


def outside_of_figures(page: Page) -> Counter[tuple[str, ...]]:
    """Elements by where they stand; labels of figures have as many lines as they need."""
    return Counter(path for path in page.paths if "svg" not in path)


@pytest.fixture(scope="module")
def text(rich: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page as it is written, with the files that it holds."""
    run = tmp_path_factory.mktemp("run")
    shutil.copytree(rich, run, dirs_exist_ok=True)
    write_report(run)
    return (run / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_is_well_formed(text: str, page: Page) -> None:
    assert text.startswith("<!doctype html>")
    assert page.broken == []
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == len(page.all("main")) == 1
    assert "data-key" in text


def test_every_link_inside_the_page_leads_somewhere(page: Page) -> None:
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names)) > 40
    inside = [link["href"][1:] for link in page.all("a") if link["href"].startswith("#")]
    assert len(inside) > 30
    assert set(inside) <= set(names)
    wanted = [
        attributes[name]
        for _, attributes in page.elements
        for name in ("aria-labelledby", "aria-describedby")
        if name in attributes
    ]
    assert set(wanted) <= set(names)


def test_every_section_has_a_permalink(page: Page) -> None:
    sections = [a["id"] for tag, a in page.elements if tag in ("details", "section") and a.get("class") == "part"]
    permalinks = {link["href"][1:]: link["aria-label"] for link in page.all("a") if link.get("class") == "permalink"}
    assert set(sections) == set(permalinks)
    assert len(set(permalinks.values())) > 20


def test_links_to_records_are_relative(page: Page, rich: Path) -> None:
    files = [link["href"] for link in page.all("a") if not link["href"].startswith(("#", "data:"))]
    assert len(files) > 50
    for file in files:
        assert (rich / file).is_file(), file


def test_nothing_is_fetched(text: str, page: Page) -> None:
    assert not {"link", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        assert not {name for name in attributes if name.startswith("on") or name in ("style", "srcset", "ping")}, tag
        assert attributes.get("src", "data:").startswith("data:")
        if "href" in attributes:
            assert tag == "a"
            assert not attributes["href"].startswith(("http", "//", "javascript"))
    for word in ("@import", "url(", "fetch(", "XMLHttpRequest", "http://", "https://"):
        assert word not in re.sub(r'href="data:[^"]*"', "", text), word


def test_the_policy_lets_its_own_script_and_style_run_and_nothing_else(text: str, page: Page) -> None:
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_tables_can_be_read_aloud(page: Page) -> None:
    """Every column and every line has a header with a scope, and what scrolls has a name and can be focused."""
    for path, (tag, attributes) in zip(page.paths, page.elements, strict=True):
        if tag == "th":
            assert attributes["scope"] in (("col", "colgroup") if "thead" in path else ("row",))
        if attributes.get("class") == "scroll":
            assert (attributes["role"], attributes["tabindex"]) == ("region", "0")
            assert attributes["aria-label"]
    counts = Counter(tag for tag, _ in page.elements)
    assert counts["thead"] == counts["tbody"] == counts["table"] > 40


def test_every_figure_has_a_title_a_text_and_a_table(text: str, page: Page) -> None:
    drawings = page.all("svg")
    images = [drawing for drawing in drawings if drawing.get("role") == "img"]
    assert len(images) > 20
    for drawing in drawings:
        if drawing not in images:  # repeats what is written beside it
            assert drawing["aria-hidden"] == "true"
            continue
        for part, name in (("title", "aria-labelledby"), ("desc", "aria-describedby")):
            (content,) = re.findall(rf'<{part} id="{drawing[name]}">(.*?)</{part}>', text)
            assert len(content) > 5
    figures = re.findall(r"<figure.*?</figure>", text, re.DOTALL)
    assert len(figures) > 10
    for figure in figures:
        assert re.search(r"<figcaption><h\d>[^<]{5,}</h\d>", figure)
        assert '<details class="same"><summary>As a table: ' in figure
        assert "<tbody>" in figure


def test_it_can_be_read_without_scripts(text: str, page: Page) -> None:
    """The script sorts and opens; what it would show is there without it."""
    without = Page(re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL))
    assert without.text == page.text
    assert not any("hidden" in attributes for _, attributes in page.elements)
    assert not any("open" in attributes for _, attributes in page.elements), "long parts are folded"
    assert page.all("button") == [], "buttons are made by the script that they need"
    assert "trx" in without.text


def test_it_is_dark_where_the_reader_s_system_is(text: str) -> None:
    dark = re.search(r"@media \(prefers-color-scheme:dark\)\{:root\{(.*?)\}\}", text)
    assert dark is not None
    assert f"--ground:{palette.DARK['ground']}" in dark[1]
    assert "color-scheme:light dark" in text
    assert re.search(r"@media print\{:root\{--ground:#ffffff", text)


def test_the_first_screen_has_question_matrix_and_findings(text: str, page: Page) -> None:
    front = text[: text.index("<nav")]
    positions = [front.index(part) for part in ("UTD-MHAD, preset quick", "Which method recognises best?", "<table")]
    assert positions == sorted(positions)
    assert front.count("is significantly better than") >= 3
    assert "Chance: 50 %" in front
    assert "Does mu_mae beat ...?" in front
    assert "<details" not in front, "nothing of it is folded"
    assert page.all("meta")[2]["name"] == "viewport"


def test_files_are_held_by_the_page(rich: Path, tmp_path: Path) -> None:
    shutil.copytree(rich, tmp_path, dirs_exist_ok=True)
    write_report(tmp_path)
    found = Page((tmp_path / "report.html").read_text("utf-8"))
    held = {link["download"]: link["href"] for link in found.all("a") if "download" in link}
    assert set(held) == set(HELD)
    for name, address in held.items():
        assert b64decode(address.partition(";base64,")[2]) == (tmp_path / name).read_bytes()


def test_cells_have_keys_to_be_sorted_by(text: str) -> None:
    (matrix,) = re.findall(r'<table id="methods-test" class="matrix" data-sortable>.*?</table>', text, re.DOTALL)
    assert matrix.count('data-sort="number"') == 6
    keys = re.findall(r'<td class="r[^"]*" data-key="([^"]+)"', matrix)
    assert len(keys) > 20
    assert all(0 <= float(key) <= 1 for key in keys)
    assert '<td class="r" title="needs a map">' in matrix, "a gap has no key, and says why"


@pytest.mark.parametrize("data", [None, GENERATED], ids=["real", "generated"])
def test_warnings_come_first_and_failed_checks_are_loud(tmp_path: Path, data: dict[str, object] | None) -> None:
    changes: dict[str, Any] = {} if data is None else {"data": data | {"complete": False, "clips_usable": 25}}
    add_seeds(tmp_path, "half", [[0.5, 1.0] * 40] * 3, **changes)
    add_control(tmp_path, [1.0, 1.0, 1.0, 0.5] * 20, **changes)
    head = page_of(tmp_path).partition("<main>")[0]
    assert '<p class="alarm"><strong>test: CHECK FAILED' in head
    assert ("Generated data" in head) is (data is not None)
    assert ("5 of 30 clips are absent" in head) is (data is not None)


def test_every_name_is_text(rich: Path, tmp_path: Path) -> None:
    evil = page_of(rich_run(tmp_path, EVIL) / "records")
    plain = page_of(rich / "records")
    assert evil.count("<script") == plain.count("<script") == 1
    found = Page(evil)
    assert found.broken == []
    assert "alert(1)" in found.text
    assert outside_of_figures(found) == outside_of_figures(Page(plain)), "the same elements in the same places"
    assert {path[-1] for path in found.paths} == {path[-1] for path in Page(plain).paths}


@pytest.mark.parametrize(
    "name",
    [
        "[a](javascript:alert(1))",
        "![a](http://example.org/x.png)",
        "`</code><b>`",
        '" onload="x',
        "</svg><i>",
        "a|b\\",
        "{{ 7*7 }}{% for %}",
        "\x00\x1b",
    ],
)
def test_names_end_no_text_of_any_kind(tmp_path: Path, name: str) -> None:
    for folder, suffix in (("plain", ""), ("evil", name)):
        add_suite(tmp_path / folder, 4, classes=tuple(f"{each}{suffix}" for each in ("alpha", "beta", "gamma")))
        add_seeds(tmp_path / folder, f"half{suffix}", HALF)
        add_seeds(tmp_path / folder, "protonet", BETTER)
    plain, evil = (Page(page_of(tmp_path / folder)) for folder in ("plain", "evil"))
    assert evil.broken == []
    changed = outside_of_figures(evil) - outside_of_figures(plain)
    assert {path[-1] for path in changed} <= {"code"}
    assert {path[-1] for path in evil.paths} <= {path[-1] for path in plain.paths} | {"code"}
    assert not any(attribute.startswith("on") for _, attributes in evil.elements for attribute in attributes)


def test_pictures_are_in_the_page_or_missed_by_name(page: Page, rich: Path) -> None:
    (picture,) = page.all("img")
    assert picture["src"] == f"data:image/png;base64,{b64encode(PIXEL).decode()}"
    assert picture["alt"].startswith("Clips as recorded, masked, and reconstructed by mu_mae")
    without = html(document(read_report(rich), rich / "elsewhere"), {})
    assert Page(without).all("img") == []
    assert "The picture is not in the folder of records." in without


def test_what_is_no_picture_is_not_shown(tmp_path: Path) -> None:
    add_seeds(tmp_path, "half", HALF)
    add_pretraining(tmp_path, "mu_mae", 0, picture="absent.png")
    add_pretraining(tmp_path, "mu_mae", 1, picture="text.png")
    (tmp_path / "pretraining" / "text.png").write_bytes(b"<svg onload=alert(1)>")
    found = page_of(tmp_path)
    assert Page(found).all("img") == []
    assert "onload" not in found
    assert image_uri(b"\xff\xd8\xff rest").startswith("data:image/jpeg;base64,")


def test_code_is_what_stands_between_backticks() -> None:
    assert code("say `a <b>` & go") == "say <code>a &lt;b&gt;</code> &amp; go"
    assert code("an odd ` one") == "an odd ` one"


def test_a_report_without_any_figure_is_a_page(tmp_path: Path) -> None:
    add_skipped(tmp_path, "can", "needs a map")
    found = Page(page_of(tmp_path))
    assert found.broken == []
    assert found.all("table") == []
    assert "can, sensors: needs a map." in found.text


def test_rows_that_were_not_scored_have_no_figure(tmp_path: Path) -> None:
    nothing = float("nan")
    add_seeds(tmp_path, "half", HALF)
    add_seeds(tmp_path, "absent", [[0.5, 0.5, nothing, nothing], [nothing, nothing, 0.5, 0.5]])  # no common episode
    found = Page(page_of(tmp_path))
    assert "no episode could be scored" in {a.get("title") for a in found.all("td")}
    values = [value for _, attributes in found.elements for value in attributes.values()]
    assert not [value for value in [*values, found.text] if re.search(r"\bnan\b", value)]


def test_every_kind_of_block_is_drawn() -> None:
    """Headings follow each other at most six deep, whatever is inside of what."""
    inner = Section("s9", "deep", (Items(("an item",)), Links(())))
    for depth in range(8, 0, -1):
        inner = Section(f"s{depth}", f"depth {depth}", (inner,))
    blocks = (Paragraph("a text", "note"), plain_table("t", "a title", ("x", "y"), [("1", "2")], caption="c."))
    found = Page(html(Document("t", "s", (), None, (Section("s0", "first", (*blocks, inner)),)), {}))
    assert found.broken == []
    assert {tag for tag, _ in found.elements if re.fullmatch(r"h\d", tag)} <= {f"h{level}" for level in range(1, 7)}
    assert {"class": "note"} in found.all("p")


def acted(page: str, acts: str, folder: Path, fragment: str = "") -> Any:
    """What a script says of a page in a browser: the content of its body, as JSON."""
    place = folder / "page.html"
    place.write_text(page.replace("</body>", f"<script>{acts}</script></body>"), "utf-8")
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, *BROWSER, f"--user-data-dir={folder / 'profile'}", "--dump-dom", place.as_uri() + fragment],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(re.sub(r"<[^>]*>", "", done.stdout[done.stdout.index("<body>") :]).strip())


def without_policy(page: str) -> str:
    return re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no browser here")
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)], ids=["desktop", "phone"])
def test_the_first_screen_holds_matrix_and_findings(text: str, tmp_path: Path, width: int, height: int) -> None:
    """In a frame of that size: nothing is wider than the screen, and what a reader wants first is on it."""
    frame = (
        f'<iframe width="{width}" height="{height}" style="border:0" srcdoc="{escape(without_policy(text))}"></iframe>'
    )
    acts = """
addEventListener("load", () => {
  const inside = document.querySelector("iframe").contentDocument;
  const end = (selector) => Math.ceil(inside.querySelector(selector).getBoundingClientRect().bottom);
  document.body.textContent = JSON.stringify({
    wide: inside.documentElement.scrollWidth, title: end("h1"), matrix: end(".matrix"), findings: end(".findings ul"),
  });
});
"""
    found = acted(f"<!doctype html><html><body>{frame}</body></html>", acts, tmp_path)
    assert found["wide"] <= width
    assert 0 < found["title"] < found["matrix"] <= height
    assert found["findings"] <= height


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no browser here")
def test_sorting_and_permalinks_in_a_browser(text: str, tmp_path: Path) -> None:
    acts = """
const table = document.querySelector("table.matrix");
const names = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
const header = table.tHead.rows[table.tHead.rows.length - 1].cells[1];
const before = names();
header.querySelector("button").click();
const first = header.getAttribute("aria-sort");
header.querySelector("button").click();
const after = names();
const part = document.getElementById("row-methods-trx");
document.body.textContent = JSON.stringify([before, first, header.getAttribute("aria-sort"), after, part.open]);
"""
    found = acted(without_policy(text), acts, tmp_path, "#row-methods-trx")
    before, first, second, after, unfolded = found
    assert (first, second) == ("descending", "ascending")
    assert sorted(before) == sorted(after)
    assert after[-1] == "random", "without a figure: last in any order"
    assert before != after
    assert unfolded, "what an address asks for is unfolded"
