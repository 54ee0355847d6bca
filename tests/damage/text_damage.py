"""What editors, spreadsheets and hands do to text: encodings, line ends, columns, rows, and values of JSON and TOML."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.damage.bytes_damage import Mutation, Random

STRANGE = ["", "nan", "inf", "-inf", "1e308", "-1e308", "9" * 5000, "0x10", "1,5", "é", "\u202e", "1_000", "-1", "None"]
VALUES: list[Any] = [
    None, True, -1, 0, 2**63, 10**40, 1.5, 1e308, "", "text", "\ud800", [], {}, [1, "a"], {"a": 1},
]  # fmt: skip
DEEP = 100_000


def byte_order_mark(content: bytes, random: Random) -> bytes:
    return b"\xef\xbb\xbf" + content


def carriage_returns(content: bytes, random: Random) -> bytes:
    return content.replace(b"\n", b"\r\n")


def only_carriage_returns(content: bytes, random: Random) -> bytes:
    return content.replace(b"\n", b"\r")


def utf16(content: bytes, random: Random) -> bytes:
    return content.decode().encode("utf-16")


def utf16_without_mark(content: bytes, random: Random) -> bytes:
    return content.decode().encode("utf-16-le")


def latin1(content: bytes, random: Random) -> bytes:
    """A word of another language, as Windows writes it."""
    place = int(random.integers(len(content)))
    return content[:place] + "Größe".encode("latin-1") + content[place:]


def nul_bytes(content: bytes, random: Random) -> bytes:
    place = int(random.integers(len(content)))
    return content[:place] + b"\0\0" + content[place:]


def blank_lines(content: bytes, random: Random) -> bytes:
    return content.replace(b"\n", b"\n\n \t\n") + b"\n\n"


def no_last_line_end(content: bytes, random: Random) -> bytes:
    return content.rstrip(b"\n")


def a_line_lost(content: bytes, random: Random) -> bytes:
    lines = content.split(b"\n")
    del lines[int(random.integers(len(lines)))]
    return b"\n".join(lines)


def a_line_doubled(content: bytes, random: Random) -> bytes:
    lines = content.split(b"\n")
    place = int(random.integers(len(lines)))
    return b"\n".join([*lines[:place], lines[place], *lines[place:]])


def lines_swapped(content: bytes, random: Random) -> bytes:
    lines = content.split(b"\n")
    one, two = random.integers(0, len(lines), 2).tolist()
    lines[one], lines[two] = lines[two], lines[one]
    return b"\n".join(lines)


def a_merge_conflict(content: bytes, random: Random) -> bytes:
    lines = content.split(b"\n")
    place = int(random.integers(len(lines)))
    own = [b"<<<<<<< HEAD", lines[place], b"=======", lines[place], b">>>>>>> other"]
    return b"\n".join([*lines[:place], *own, *lines[place + 1 :]])


def an_open_quote(content: bytes, random: Random) -> bytes:
    place = int(random.integers(len(content)))
    return content[:place] + b'"' + content[place:]


def a_line_of_ten_megabytes(content: bytes, random: Random) -> bytes:
    return content + b"7" * 10_000_000 + b"\n"


TEXT: tuple[Mutation, ...] = (
    byte_order_mark, carriage_returns, only_carriage_returns, utf16, utf16_without_mark, latin1, nul_bytes,
    blank_lines, no_last_line_end, a_line_lost, a_line_doubled, lines_swapped, a_merge_conflict, an_open_quote,
    a_line_of_ten_megabytes,
)  # fmt: skip


# rows of a table, parted by commas


def _rows(content: bytes) -> list[list[str]]:
    return [line.split(",") for line in content.decode().splitlines()]


def _table(rows: list[list[str]], comma: str = ",") -> bytes:
    return ("\n".join(comma.join(row) for row in rows) + "\n").encode()


def column_lost(content: bytes, random: Random) -> bytes:
    rows = _rows(content)
    place = int(random.integers(len(rows[0])))
    return _table([row[:place] + row[place + 1 :] for row in rows])


def column_doubled(content: bytes, random: Random) -> bytes:
    rows = _rows(content)
    place = int(random.integers(len(rows[0])))
    return _table([row[: place + 1] + row[place:] for row in rows])


def columns_turned(content: bytes, random: Random) -> bytes:
    """The first column last."""
    return _table([row[1:] + row[:1] for row in _rows(content)])


def empty_columns_at_the_end(content: bytes, random: Random) -> bytes:
    return _table([[*row, "", ""] for row in _rows(content)])


def header_lost(content: bytes, random: Random) -> bytes:
    return _table(_rows(content)[1:])


def semicolons(content: bytes, random: Random) -> bytes:
    """As spreadsheets write it where a comma is the decimal mark."""
    return (
        content.replace(b".", b",")
        if b"," not in content
        else _table([[cell.replace(".", ",") for cell in row] for row in _rows(content)], ";")
    )


def tabs(content: bytes, random: Random) -> bytes:
    return _table(_rows(content), "\t")


def a_strange_cell(content: bytes, random: Random) -> bytes:
    rows = _rows(content)
    row = rows[int(random.integers(len(rows)))]
    row[int(random.integers(len(row)))] = str(random.choice(STRANGE))
    return _table(rows)


def a_strange_column(content: bytes, random: Random) -> bytes:
    rows, value = _rows(content), str(random.choice(STRANGE))
    place = int(random.integers(len(rows[0])))
    return _table([[*row[:place], value, *row[place + 1 :]] for row in rows])


def rows_reversed(content: bytes, random: Random) -> bytes:
    """The header stays where it is."""
    rows = _rows(content)
    return _table(rows[:1] + rows[:0:-1])


def rows_shuffled(content: bytes, random: Random) -> bytes:
    rows = _rows(content)
    order = 1 + random.permutation(len(rows) - 1)
    return _table(rows[:1] + [rows[place] for place in order.tolist()])


def rows_doubled(content: bytes, random: Random) -> bytes:
    rows = _rows(content)
    return _table(rows[:1] + [row for row in rows[1:] for _ in range(2)])


def one_time_for_all(content: bytes, random: Random) -> bytes:
    rows = _rows(content)
    return _table([[rows[len(rows) // 2][0], *row[1:]] for row in rows])


TABLE: tuple[Mutation, ...] = (
    column_lost, column_doubled, columns_turned, empty_columns_at_the_end, header_lost, semicolons, tabs,
    a_strange_cell, a_strange_column, rows_reversed, rows_shuffled, rows_doubled, one_time_for_all,
)  # fmt: skip


# values of JSON


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every value stands below the top."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for name, each in inner:
        found += [(*place, name), *_places(each, (*place, name))]
    return found


def _chosen(content: bytes, random: Random) -> tuple[Any, Any, Any]:
    """The content, the part that holds a value drawn at random, and the name of this value there."""
    whole = part = json.loads(content)
    places = _places(whole)
    *parents, last = places[int(random.integers(len(places)))]
    for parent in parents:
        part = part[parent]
    return whole, part, last


def value_replaced(content: bytes, random: Random) -> bytes:
    whole, part, name = _chosen(content, random)
    part[name] = VALUES[int(random.integers(len(VALUES)))]
    return json.dumps(whole, indent=1).encode()


def value_not_a_number(content: bytes, random: Random) -> bytes:
    whole, part, name = _chosen(content, random)
    part[name] = [float("nan"), float("inf")][int(random.integers(2))]
    return json.dumps(whole, indent=1).encode()


def number_changed(content: bytes, random: Random) -> bytes:
    """A number that is another number, in a place where numbers stand."""
    found = list(re.finditer(rb"(?<=[ \[])\d+(\.\d+)?(?=[,\]\n])", content))
    if not found:
        return value_replaced(content, random)
    match = found[int(random.integers(len(found)))]
    return content[: match.start()] + b"3" + match[0] + content[match.end() :]


def name_changed(content: bytes, random: Random) -> bytes:
    whole, part, name = _chosen(content, random)
    if isinstance(part, dict):
        part[f"{name}_"] = part.pop(name)
    else:
        part.append(part[name])
    return json.dumps(whole, indent=1).encode()


def value_lost(content: bytes, random: Random) -> bytes:
    whole, part, name = _chosen(content, random)
    del part[name]
    return json.dumps(whole, indent=1).encode()


def deeply_nested(content: bytes, random: Random) -> bytes:
    return b'{"a": ' * DEEP + b"1" + b"}" * DEEP if random.integers(2) else b"[" * DEEP + b"]" * DEEP


def number_of_a_million_digits(content: bytes, random: Random) -> bytes:
    whole, part, name = _chosen(content, random)
    part[name] = "@"
    return json.dumps(whole, indent=1).replace('"@"', "7" * 1_000_000).encode()


JSON: tuple[Mutation, ...] = (
    value_replaced, value_not_a_number, number_changed, name_changed, value_lost, deeply_nested,
    number_of_a_million_digits,
)  # fmt: skip


# values of TOML

TOML_VALUES = [
    '""', '"text"', "-1", "0", "1e308", "nan", "inf", "true", "[]", "{}", "[1, 2]", '["a", "a"]', "{a = 1}",
    "1979-05-27T07:32:00Z", "99999999999999999999", "07", "[" * 2000 + "]" * 2000,
]  # fmt: skip


def toml_value_replaced(content: bytes, random: Random) -> bytes:
    lines = content.decode().splitlines()
    places = [place for place, line in enumerate(lines) if re.match(r"\w+ = ", line)]
    place = places[int(random.integers(len(places)))]
    value = TOML_VALUES[int(random.integers(len(TOML_VALUES)))]
    lines[place] = f"{lines[place].partition(' = ')[0]} = {value}"
    return ("\n".join(lines) + "\n").encode()


def toml_name_changed(content: bytes, random: Random) -> bytes:
    lines = content.decode().splitlines()
    places = [place for place, line in enumerate(lines) if re.match(r"\w+ = |\[", line)]
    place = places[int(random.integers(len(places)))]
    lines[place] = re.sub(r"\w+", lambda name: name[0] + "x", lines[place], count=1)
    return ("\n".join(lines) + "\n").encode()


def toml_deeply_nested(content: bytes, random: Random) -> bytes:
    return content + b"\nextra = " + b"[" * DEEP + b"]" * DEEP + b"\n"


TOML: tuple[Mutation, ...] = (toml_value_replaced, toml_name_changed, toml_deeply_nested)
