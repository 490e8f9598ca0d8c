from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qmap.utils import checkpoint
from qmap.utils.errors import UserError

KIND = "checkpoint"

keys = st.text(max_size=8)
json_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**130), 2**130),
    st.floats(allow_nan=False),
    st.text(max_size=10),
    st.just("array:0000.npy"),
    st.sampled_from(("array:", "text:", "text:array:", "array:text:")),
    st.lists(st.integers(), max_size=3),
)
arrays = st.sampled_from(("uint8", "bool", "int64", "float32", "float64", ">i4", "int16")).flatmap(
    lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
)
trees = st.dictionaries(
    keys,
    st.recursive(
        st.one_of(json_leaves, arrays), lambda leaf: st.dictionaries(keys, leaf, max_size=4)
    ),
    max_size=5,
)


def assert_equal(left: Any, right: Any) -> None:
    """Two trees are equal, to the last bit and the kind of their arrays."""
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert list(left) == list(right)
        for key in left:
            assert_equal(left[key], right[key])
    elif isinstance(left, np.ndarray):
        assert (left.dtype, left.shape) == (right.dtype, right.shape)
        assert left.tobytes() == right.tobytes()
    else:
        assert left == right


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(trees)
def test_what_is_saved_is_loaded(tmp_path: Path, tree: dict[str, Any]) -> None:
    path = tmp_path / "file"
    size = checkpoint.save(path, KIND, tree)
    assert size == path.stat().st_size
    assert_equal(checkpoint.load(path, KIND), tree)


def test_arrays_that_are_not_contiguous_come_back_as_they_look(tmp_path: Path) -> None:
    array = np.arange(24.0).reshape(4, 6)
    views = {
        "columns": array.T,
        "every other": array[::2, ::-1],
        "fortran": np.asfortranarray(array),
    }
    checkpoint.save(tmp_path / "file", KIND, views)
    for name, loaded in checkpoint.load(tmp_path / "file", KIND).items():
        assert np.array_equal(loaded, views[name])


def test_numpy_numbers_become_plain_ones(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "file", KIND, {"a": np.float32(0.5), "b": np.int64(3)})
    assert checkpoint.load(tmp_path / "file", KIND) == {"a": 0.5, "b": 3}


def test_the_state_of_a_random_generator_survives(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    checkpoint.save(tmp_path / "file", KIND, generator.bit_generator.state)
    expected, other = generator.random(), np.random.default_rng(0)
    other.bit_generator.state = checkpoint.load(tmp_path / "file", KIND)
    assert other.random() == expected


def test_loaded_arrays_can_be_written_to(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "file", KIND, {"a": np.zeros(3)})
    checkpoint.load(tmp_path / "file", KIND)["a"][0] = 1.0


class Failing(dict):
    """A tree that breaks while it is written."""

    def items(self) -> Any:
        raise RuntimeError("in the middle")


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    checkpoint.save(path, KIND, {"a": np.arange(5)})
    with pytest.raises(RuntimeError):
        checkpoint.save(path, KIND, {"big": np.zeros(10**6), "b": Failing()})
    assert_equal(checkpoint.load(path, KIND), {"a": np.arange(5)})
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_error_in_the_middle_is_told_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    checkpoint.save(path, KIND, {"a": np.arange(5)})

    def full(member: Any, array: np.ndarray) -> None:
        member.write(b"half of")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "_write_array", full)
    with pytest.raises(UserError, match="No space left on device"):
        checkpoint.save(path, KIND, {"a": np.zeros(10**5)})
    monkeypatch.undo()
    assert_equal(checkpoint.load(path, KIND), {"a": np.arange(5)})
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot write") as error:
        checkpoint.save(tmp_path / "no" / "file", KIND, {})
    assert "\n" not in str(error.value)


def assert_refused(path: Path) -> None:
    """Loading is a mistake of the user, told in one line that names the file."""
    with pytest.raises(UserError) as error:
        checkpoint.load(path, KIND)
    assert "\n" not in str(error.value)
    assert path.name in str(error.value)


def test_another_kind_of_file_is_named(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "file", "snapshot", {"a": 1})
    with pytest.raises(UserError, match="'snapshot'.*expected a checkpoint"):
        checkpoint.load(tmp_path / "file", KIND)


def test_files_that_are_not_there_or_cannot_be_names_are_refused(tmp_path: Path) -> None:
    for name in ("nothing", "x" * 1000, "nul\0in it", "a" * 200 + "/" + "b" * 300):
        assert_refused(tmp_path / name)
    (tmp_path / "folder").mkdir()
    assert_refused(tmp_path / "folder")


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("unpickled"),)


def npy(array: np.ndarray, allow_pickle: bool = False) -> bytes:
    """An array as a file of NumPy."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def header(text: str) -> bytes:
    """The start of an .npy file, with a header of one's own."""
    data = text.encode().ljust(118 - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(data).to_bytes(2, "little") + data


def archive(
    path: Path,
    member: bytes,
    *,
    outline: Any = None,
    compression: int = zipfile.ZIP_STORED,
    name: str = "0000.npy",
) -> Path:
    """A file that looks like a checkpoint with one array."""
    if outline is None:
        outline = {"format": checkpoint.FORMAT, "kind": KIND, "tree": {"a": "array:0000.npy"}}
    text = outline if isinstance(outline, (str, bytes)) else json.dumps(outline)
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("tree.json", text)
        file.writestr(name, member)
    return path


def test_the_crafted_files_would_load_if_nothing_was_wrong_with_them(tmp_path: Path) -> None:
    loaded = checkpoint.load(archive(tmp_path / "file", npy(np.arange(3))), KIND)
    assert_equal(loaded, {"a": np.arange(3)})


@pytest.mark.parametrize(
    "text",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 0, 9), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f8', 'fortran_order': True, 'shape': (1, 2), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 'x', }",
        "{'descr': '|S0', 'fortran_order': False, 'shape': (9,), }",
        "{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': __import__('os').getpid(), 'fortran_order': False, 'shape': (1,), }",
        "(" * 100,
        "-" * 100 + "1",
        "",
    ],
)
def test_arrays_that_are_not_what_their_header_says_are_refused(tmp_path: Path, text: str) -> None:
    assert_refused(archive(tmp_path / "file", header(text) + bytes(16)))


def test_a_pickle_is_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").write_bytes(pickle.dumps(Bomb()))
    np.savez(tmp_path / "objects.npz", a=np.array([Bomb()], object))
    np.save(tmp_path / "objects.npy", np.array([Bomb()], object))
    archive(tmp_path / "inside", npy(np.array([Bomb()], object), allow_pickle=True))
    archive(tmp_path / "as it is", pickle.dumps(Bomb()))
    archive(tmp_path / "as outline", b"", outline=pickle.dumps(Bomb()))
    for name in ("raw", "objects.npz", "objects.npy", "inside", "as it is", "as outline"):
        assert_refused(tmp_path / name)
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_members_are_refused(tmp_path: Path, compression: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 1000, np.uint8)
    for array in (np.zeros(10**6), noise):
        assert_refused(archive(tmp_path / "file", npy(array), compression=compression))


@pytest.mark.parametrize(
    "outline",
    [
        "",
        "null",
        "[]",
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 10_000,
        b"\xff\xfe",
        {},
        {"format": checkpoint.FORMAT},
        {"kind": KIND},
        {"format": 99, "kind": KIND, "tree": {}},
        {"format": checkpoint.FORMAT, "kind": KIND},
        {"format": checkpoint.FORMAT, "kind": KIND, "tree": {"a": "array:missing.npy"}},
        {"format": checkpoint.FORMAT, "kind": KIND, "tree": {"a": "array:tree.json"}},
        {"format": checkpoint.FORMAT, "kind": KIND, "tree": [1, 2]},
        {"format": checkpoint.FORMAT, "kind": KIND, "tree": "text"},
    ],
    ids=range(16),
)  # fmt: skip
def test_an_outline_that_is_not_one_is_refused(tmp_path: Path, outline: Any) -> None:
    assert_refused(archive(tmp_path / "file", npy(np.zeros(3)), outline=outline))


def test_a_member_larger_than_the_file_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "file", npy(np.zeros(100)))
    data = path.read_bytes()
    entry = data.rindex(b"PK\x01\x02")
    path.write_bytes(data[: entry + 20] + b"\xff\xff\xff\x7f" * 2 + data[entry + 28 :])
    assert_refused(path)


def mutated(data: bytes, generator: np.random.Generator) -> bytes:
    """One of the things that happen to files."""
    kind = generator.integers(6)
    if kind == 0:
        return data[: generator.integers(len(data))]
    if kind == 1:
        start, stop = sorted(generator.integers(0, len(data), 2))
        return data[:start] + bytes(stop - start) + data[stop:]
    if kind == 2:
        return data + generator.bytes(generator.integers(1, 2000))
    if kind == 3:
        start, stop = sorted(generator.integers(0, len(data), 2))
        return data[:start] + data[stop:]
    array = bytearray(data)
    for place in generator.integers(0, len(data), 1 if kind == 4 else 20):
        array[place] ^= 1 << generator.integers(8)
    return bytes(array)


def fuzz(path: Path, rounds: int, seed: int) -> int:
    """Load damaged files; return how many were refused. Whatever loads must be what was saved."""
    tree = {
        "step": 7,
        "weights": {"a": np.arange(40, dtype=np.float32), "b": np.ones((2, 3), np.uint8)},
        "generator": np.random.default_rng(0).bit_generator.state,
    }
    checkpoint.save(path, KIND, tree)
    data, generator, refused = path.read_bytes(), np.random.default_rng(seed), 0
    for _ in range(rounds):
        path.write_bytes(mutated(data, generator))
        try:
            loaded = checkpoint.load(path, KIND)
        except UserError:
            refused += 1
        else:
            assert_equal(loaded, tree)
    return refused


def test_damaged_files_are_refused_or_do_no_harm(tmp_path: Path) -> None:
    assert fuzz(tmp_path / "file", 400, seed=0) > 250


@pytest.mark.slow
def test_thousands_of_damaged_files_are_refused_or_do_no_harm(tmp_path: Path) -> None:
    assert fuzz(tmp_path / "file", 5000, seed=1) > 3000


def test_an_empty_file_and_ones_of_other_kinds_are_refused(tmp_path: Path) -> None:
    contents = {"empty": b"", "text": b"hello\n" * 99, "zeros": bytes(10**6), "zip": b"PK\x05\x06"}
    contents["empty zip"] = b"PK\x05\x06" + bytes(18)
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert_refused(tmp_path / name)
