"""Arrays that are whole files and yet wrong: other shapes, types and values, members lost, and archives that swell."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tests.damage.bytes_damage import Mutation, Random, deflated_zeros, zip_of_zeros

SWOLLEN = 3 << 30  # bytes that a bomb unpacks to
Arrays = dict[str, np.ndarray]


def _npz(content: bytes) -> Arrays:
    with np.load(io.BytesIO(content)) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _packed(arrays: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def _changed(content: bytes, random: Random, change: Callable[[np.ndarray], Any]) -> bytes:
    arrays: dict[str, Any] = dict(_npz(content))
    name = list(arrays)[int(random.integers(len(arrays)))]
    arrays[name] = change(arrays[name])
    return _packed(arrays)


def array_lost(content: bytes, random: Random) -> bytes:
    arrays = _npz(content)
    del arrays[list(arrays)[int(random.integers(len(arrays)))]]
    return _packed(arrays)


def array_flattened(content: bytes, random: Random) -> bytes:
    return _changed(content, random, np.ravel)


def array_cut(content: bytes, random: Random) -> bytes:
    return _changed(content, random, lambda array: array[: len(array) // 2] if array.ndim else array)


def array_without_rows(content: bytes, random: Random) -> bytes:
    return _changed(content, random, lambda array: array[:0] if array.ndim else np.empty(0))


def array_of_not_a_number(content: bytes, random: Random) -> bytes:
    return _changed(content, random, lambda array: np.full(array.shape, np.nan))


def array_of_huge_values(content: bytes, random: Random) -> bytes:
    return _changed(content, random, lambda array: np.full(array.shape, 2**40))


def array_of_text(content: bytes, random: Random) -> bytes:
    return _changed(content, random, lambda array: np.full(array.shape, "text"))


def array_of_objects(content: bytes, random: Random) -> bytes:
    """Which would have to be unpickled."""
    return _changed(content, random, lambda array: np.full(array.shape, None))


def array_of_one_value(content: bytes, random: Random) -> bytes:
    return _changed(content, random, lambda array: np.asarray(1))


@cache
def _npz_of_zeros() -> bytes:
    stream = io.BytesIO()
    header = {"descr": "|i1", "fortran_order": False, "shape": (SWOLLEN,)}
    np.lib.format.write_array_header_1_0(stream, header)
    return zip_of_zeros("predicted.npy", stream.getvalue(), SWOLLEN)


def npz_that_swells(content: bytes, random: Random) -> bytes:
    return _npz_of_zeros()


def npz_that_claims(content: bytes, random: Random) -> bytes:
    """An array of a terabyte by its header, and of a few bytes in truth."""
    stream = io.BytesIO()
    header = {"descr": "<i8", "fortran_order": False, "shape": (1 << 37,)}
    np.lib.format.write_array_header_1_0(stream, header)
    return zip_of_zeros("predicted.npy", stream.getvalue(), 0)


NPZ: tuple[Mutation, ...] = (
    array_lost, array_flattened, array_cut, array_without_rows, array_of_not_a_number, array_of_huge_values,
    array_of_text, array_of_objects, array_of_one_value, npz_that_swells, npz_that_claims,
)  # fmt: skip


# MATLAB's files


def _mat(content: bytes) -> tuple[str, np.ndarray]:
    from scipy.io import loadmat

    found = {name: value for name, value in loadmat(io.BytesIO(content)).items() if not name.startswith("__")}
    return next(iter(found.items()))


def _mat_file(name: str, value: Any) -> bytes:
    from scipy.io import savemat

    stream = io.BytesIO()
    savemat(stream, {name: value}, do_compression=True)
    return stream.getvalue()


def _mat_changed(content: bytes, change: Callable[[np.ndarray], Any]) -> bytes:
    name, value = _mat(content)
    return _mat_file(name, change(value))


def mat_other_name(content: bytes, random: Random) -> bytes:
    return _mat_file("d_other", _mat(content)[1])


def mat_without_rows(content: bytes, random: Random) -> bytes:
    return _mat_changed(content, lambda value: value[:0])


def mat_without_last_axis(content: bytes, random: Random) -> bytes:
    return _mat_changed(content, lambda value: value[..., :0])


def mat_column_lost(content: bytes, random: Random) -> bytes:
    return _mat_changed(content, lambda value: value[..., :-1])


def mat_turned(content: bytes, random: Random) -> bytes:
    return _mat_changed(content, lambda value: value.T)


def mat_flattened(content: bytes, random: Random) -> bytes:
    return _mat_changed(content, np.ravel)


def mat_text(content: bytes, random: Random) -> bytes:
    return _mat_changed(content, lambda value: "text")


def mat_cells(content: bytes, random: Random) -> bytes:
    return _mat_changed(content, lambda value: np.array([value, "text"], dtype=object))


def mat_struct(content: bytes, random: Random) -> bytes:
    return _mat_changed(content, lambda value: {"a": value})


def mat_complex(content: bytes, random: Random) -> bytes:
    return _mat_changed(content, lambda value: value * (1 + 1j))


def mat_sparse(content: bytes, random: Random) -> bytes:
    from scipy.sparse import csc_matrix

    return _mat_changed(content, lambda value: csc_matrix(value.reshape(len(value), -1).astype(float)))


def _some(value: np.ndarray, random: Random, put: float) -> np.ndarray:
    changed = value.astype(np.float64)
    changed[random.integers(len(changed), size=3)] = put
    return changed


def mat_not_a_number(content: bytes, random: Random) -> bytes:
    return _mat_changed(content, lambda value: _some(value, random, np.nan))


def mat_all_not_a_number(content: bytes, random: Random) -> bytes:
    return _mat_changed(content, lambda value: np.full(value.shape, np.nan))


def mat_huge(content: bytes, random: Random) -> bytes:
    return _mat_changed(content, lambda value: _some(value, random, [1e308, -1e308, np.inf][int(random.integers(3))]))


def mat_version_4(content: bytes, random: Random) -> bytes:
    from scipy.io import savemat

    name, value = _mat(content)
    stream = io.BytesIO()
    savemat(stream, {name: value.reshape(len(value), -1)}, format="4")
    return stream.getvalue()


def mat_that_swells(content: bytes, random: Random) -> bytes:
    """A matrix of zeros of the right name, six columns wide, which takes gigabytes once it is unpacked."""
    name, value = _mat(content)
    kind, width = (9, 8) if value.dtype.kind == "f" else (4, 2)  # miDOUBLE, miUINT16
    swollen = SWOLLEN // 3 if value.dtype.kind != "f" else SWOLLEN
    swollen = swollen // (1 << 24) * (1 << 24)
    shape = (swollen // width // 64, 64) if value.ndim == 2 else (1 << 12, 1 << 10, swollen // width >> 22)
    head = _matrix_head(name, shape, 6 if kind == 9 else 11, kind, swollen)
    return content[:128] + _compressed(head, swollen)


def _matrix_head(name: str, shape: tuple[int, ...], array_class: int, kind: int, size: int) -> bytes:
    def element(number: int, data: bytes) -> bytes:
        return number.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data + bytes(-len(data) % 8)

    inner = element(6, array_class.to_bytes(8, "little"))
    inner += element(5, b"".join(each.to_bytes(4, "little") for each in shape))
    inner += element(1, name.encode())
    inner += kind.to_bytes(4, "little") + size.to_bytes(4, "little")
    return (14).to_bytes(4, "little") + (len(inner) + size).to_bytes(4, "little") + inner


def _compressed(head: bytes, zeros: int) -> bytes:
    """An element miCOMPRESSED of some bytes and then zeros."""
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = b"\x78\x9c" + packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH) + deflated_zeros(zeros)
    data += zlib.adler32(b"").to_bytes(4, "big")
    return (15).to_bytes(4, "little") + len(data).to_bytes(4, "little") + data


MAT: tuple[Mutation, ...] = (
    mat_other_name, mat_without_rows, mat_without_last_axis, mat_column_lost, mat_turned, mat_flattened, mat_text,
    mat_cells, mat_struct, mat_complex, mat_sparse, mat_not_a_number, mat_all_not_a_number, mat_huge, mat_version_4,
    mat_that_swells,
)  # fmt: skip
