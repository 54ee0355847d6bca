"""The project speaks the field's terms: words that were given up stand in no identifier, text, preset or help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmact_oneshot.harness.cli.main import VERBS, app, data, episodes

ROOT = Path(__file__).parents[1]
INSTEAD = {
    "regime": "training: end_to_end, frozen, none",
    "regimen": "protocol: headline, paper",
    "sees": "modalities",
    "retold": "a name for what the file holds",
    "longer": "initialisation: prolonged",
    "looks": "validations; test accesses",
}
ENGLISH = (
    "looks like",
    "looks_for",  # file names by which a layout is recognised
    "longer than",
    "longer ones",
    "longer sequence",
    "The BatchNorm sees",
)
"""Ordinary uses of these words, as they stand in the files."""
SUFFIXES = {".py", ".toml", ".md", ".j2", ".css", ".js"}
TEXTS = sorted(
    path
    for place in ("harness", "methods", "baselines", "docs", "README.md", "CONTRIBUTING.md", "Makefile")
    for path in ((ROOT / place).rglob("*") if (ROOT / place).is_dir() else [ROOT / place])
    if path.suffix in SUFFIXES or path.name == "Makefile"
)
PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")  # of an identifier or of prose


def retired(text: str) -> Iterator[str]:
    """Line and word, wherever one of the words stands and is not ordinary English."""
    for number, line in enumerate(text.splitlines(), 1):
        for phrase in ENGLISH:
            line = line.replace(phrase, "")
        for word in PART.findall(line):
            known = word.lower() if word.lower() in INSTEAD else word.lower().removesuffix("s")
            if known in INSTEAD:
                yield f"line {number}: {word} (instead: {INSTEAD[known]})"


@pytest.mark.parametrize(
    "text",
    ["regime", "the regimens", "Regimen", "HEADLINE_REGIMEN", "regimen_of", "aRegime", "sees=video", "look, looks"],
)
def test_a_word_is_found_in_identifiers_and_prose(text: str) -> None:
    assert list(retired(f"one\n{text} two"))


@pytest.mark.parametrize("text", ["foresees", "it looks like", "looks_for", "overlooks", "no longer than that"])
def test_other_words_and_ordinary_english_are_left_alone(text: str) -> None:
    assert not list(retired(text))


def test_source_presets_and_documents() -> None:
    assert len(TEXTS) > 200
    found = {str(path.relative_to(ROOT)): list(retired(path.read_text("utf-8"))) for path in TEXTS}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_every_ordinary_use_is_still_there() -> None:
    whole = "\n".join(path.read_text("utf-8") for path in TEXTS)
    assert [phrase for phrase in ENGLISH if phrase not in whole] == []


def test_file_names() -> None:
    assert [str(path.relative_to(ROOT)) for path in TEXTS if list(retired(path.stem))] == []


def test_help_of_every_verb() -> None:
    groups = {id(app): (), id(data): ("data",), id(episodes): ("episodes",)}
    verbs = [(*groups[id(group)], name) for group, name, _ in VERBS]
    for verb in (*groups.values(), *verbs):
        result = CliRunner().invoke(app, [*verb, "--help"], env={"COLUMNS": "200"})
        assert result.exit_code == 0, verb
        assert not list(retired(result.output)), verb
