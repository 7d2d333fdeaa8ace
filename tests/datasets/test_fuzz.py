"""Whatever bytes a file holds, a loader ends with a data set or an error of the project: searched by Hypothesis.

Seeds are fixed; `HYPOTHESIS_EXAMPLES=10000 pytest tests/datasets/test_fuzz.py` looks longer.
"""

import contextlib
import csv
import io
import os
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_helpers.datasets import LOADERS, affectnet
from fer_helpers.datasets.files import METHODS, FileTree, read_file, read_rows
from fer_helpers.datasets.table import LayoutError

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", 40))
LENIENT = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
FIXED = settings(derandomize=True, database=None, deadline=None, max_examples=EXAMPLES, suppress_health_check=LENIENT)
OF_THE_PROJECT = (LayoutError, FileNotFoundError)

# For each text format a loader, an image of a small copy, the file whose text is replaced, and that text.
VOTES = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\nTraining,a.png,0,9"
BOXES = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal\n"
BOXES += "1/a.jpg,1,1,3,4,5;6,1,0.5,0.5\n"
PIXELS = "emotion,pixels,Usage\n3,1 2 3,Training\n" + "9" * 4300 + ","
FORMATS = [
    ("fer2013", "README", "fer2013.csv", PIXELS),
    ("ferplus", "FER2013Train/a.png", "fer2013new.csv", VOTES + ",0" * 8 + "\n"),
    ("ckplus", "c/S005/001/S005_001_00000001.png", "E/S005/001/S005_001_00000001_emotion.txt", "3.0e+00"),
    ("rafdb", "aligned/train_00001_aligned.jpg", "list_patition_label.txt", "train_00001.jpg 5\n"),
    ("affectnet", "Manually_Annotated_Images/1/a.jpg", "training.csv", BOXES),
]
VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5)


@st.composite
def damaged(draw, content: bytes) -> bytes:
    """Bytes of which some were replaced, lost or added at a few places."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        piece = draw(st.binary(max_size=8) | st.sampled_from([b'"', b",", b"\0", b"\r", b"\n\n", b"nan", b"9" * 4301]))
        content = content[:start] + piece + content[start + draw(st.integers(0, 8)) :]
    return content


@pytest.mark.parametrize(("name", "image", "text_name", "text"), FORMATS)
@FIXED
@given(st.data())
def test_text_of_any_bytes_ends_in_a_data_set_or_an_error_of_ours(name, image, text_name, text, write_files, data):
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(*OF_THE_PROJECT):
        files = {image: b"", text_name: data.draw(damaged(text.encode()))}
        assert set(LOADERS[name].load(write_files(Path(folder) / "data", files)).table["image"]) <= {image}


@FIXED
@given(st.lists(st.lists(VALUES, min_size=2, max_size=3), max_size=5))
def test_rows_are_those_that_an_independent_parser_reads(rows):
    csv.writer(text := io.StringIO()).writerows([["a", "b"], *rows])
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / "a.csv").write_text(text.getvalue(), newline="")
        read = [values for _, values in read_rows(str(path), ("a", "b"))]
    assert read == [[value.strip() for value in row[:2]] for row in rows]


@FIXED
@given(st.data())
def test_numpy_file_of_any_bytes_is_a_number_or_an_error_that_names_it(data):
    np.save(whole := io.BytesIO(), np.array(data.draw(st.sampled_from([3, 0.5, "7"]))))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (path := Path(folder) / "1_exp.npy").write_bytes(data.draw(damaged(whole.getvalue())))
        try:
            assert np.isfinite(affectnet.read_number(str(path)))
        except ValueError as error:
            assert str(error).startswith(f"{path} does not hold one number (")  # noqa: PT017


@pytest.mark.parametrize("method", METHODS)
@FIXED
@given(st.data())
def test_zip_of_any_bytes_gives_its_members_nothing_or_an_error_of_the_project(method, data):
    with zipfile.ZipFile(whole := io.BytesIO(), "w", method) as archive:
        archive.writestr("a.png", b"first" * 20)
        archive.writestr("b/c.csv", "a,b\n1,2\n" * 20)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(*OF_THE_PROJECT):
        (path := Path(folder) / "data.zip").write_bytes(data.draw(damaged(whole.getvalue())))
        tree = FileTree(path)
        for name in tree.names:
            with contextlib.suppress(LayoutError):
                assert read_file(tree.path(name)) in (b"first" * 20, b"a,b\n1,2\n" * 20)
            assert len(list(read_rows(tree.path(name), ("a",)))) == 39
