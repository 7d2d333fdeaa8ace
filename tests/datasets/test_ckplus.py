"""CK+ reads alike from the authors' archives and from Kaggle's copy, no unlabelled sequence becomes neutral, and contradictions are errors."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from fer_helpers import datasets
from fer_helpers.datasets import ckplus
from fer_helpers.datasets.table import LayoutError
from fer_helpers.images import read_images

CODES = (
    "neutral",
    "anger",
    "contempt",
    "disgust",
    "fear",
    "happy",
    "sad",
    "surprise",
)  # 0 to 7, from the authors' read-me
CK48_FOLDERS = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
SECOND_SUBJECT = ("S010/002", 4, 7)  # folder, frames, code


def sequence(
    folder: str, frames: int, code: float | None, top: str = "", label_top: str = ""
) -> dict[str, bytes | str]:
    """The frames of one sequence as the authors name them, and its emotion file if it has a code; no loader decodes them."""
    stem = folder.replace("/", "_")
    files: dict[str, bytes | str] = {
        f"{top}cohn-kanade-images/{folder}/{stem}_{number:08d}.png": b"" for number in range(1, frames + 1)
    }
    if code is not None:
        files[f"{label_top}Emotion/{folder}/{stem}_{frames:08d}_emotion.txt"] = f"   {code:.7e}\n"
    return files


def authors_files(top: str = "", label_top: str = "") -> dict[str, bytes | str]:
    """Two labelled sequences, disgust and surprise, and one without a label."""
    labelled = sequence("S005/001", 5, 3, top, label_top) | sequence(*SECOND_SUBJECT, top, label_top)
    return labelled | sequence("S005/002", 6, None, top, label_top)


def ck48_files(top: str = "CK+48/") -> dict[str, bytes]:
    """One sequence of three frames for each class, of a subject of its own."""
    return {
        f"{top}{name}/S{10 + place:03d}_004_{17 + step:08d}.png": b""
        for place, name in enumerate(CK48_FOLDERS)
        for step in range(3)
    }


def rows_of(dataset) -> list[tuple]:
    return list(
        dataset.table[["image", "expression", "subject", "sequence", "frame"]].itertuples(index=False, name=None)
    )


def authors_row(folder: str, frame: int, expression: str, top: str = "") -> tuple:
    stem = folder.replace("/", "_")
    return (f"{top}cohn-kanade-images/{folder}/{stem}_{frame:08d}.png", expression, stem[:4], stem, frame)


@pytest.mark.parametrize(
    ("top", "label_top"),
    [("", ""), ("CK+/", "CK+/"), ("extended-cohn-kanade-images/", "Emotion_labels/")],
    ids=["at the top", "below a folder", "archives unpacked side by side"],
)
def test_last_frames_of_each_labelled_sequence_bear_its_expression(lay_out, top, label_top):
    location = lay_out(authors_files(top, label_top))
    dataset = ckplus.load(location)
    expected = [authors_row("S005/001", frame, "disgust", top) for frame in (3, 4, 5)] + [
        authors_row("S010/002", frame, "surprise", top) for frame in (2, 3, 4)
    ]
    assert rows_of(dataset) == expected
    assert dataset.table["path"].tolist() == [f"{location.as_posix()}/{row[0]}" for row in expected]
    assert dataset.table["label"].tolist() == [5, 5, 5, 3, 3, 3]
    assert dataset.table["split"].isna().all()


def test_protocol_of_alam_2022_adds_the_first_frame_as_neutral(lay_out):
    dataset = ckplus.load(lay_out(authors_files()), last_frames=3, first_as_neutral=True)
    assert rows_of(dataset) == [
        authors_row("S005/001", 1, "neutral"),
        *(authors_row("S005/001", frame, "disgust") for frame in (3, 4, 5)),
        authors_row("S010/002", 1, "neutral"),
        *(authors_row("S010/002", frame, "surprise") for frame in (2, 3, 4)),
    ]


def test_protocol_of_singh_2022_takes_the_last_frame_alone(lay_out):
    assert rows_of(ckplus.load(lay_out(authors_files()), last_frames=1)) == [
        authors_row("S005/001", 5, "disgust"),
        authors_row("S010/002", 4, "surprise"),
    ]


@pytest.mark.parametrize("code", range(1, 8))
def test_each_code_is_the_expression_of_the_authors_read_me(lay_out, code):
    dataset = ckplus.load(lay_out(sequence("S005/001", 3, code)), last_frames=1)
    assert dataset.table["expression"].tolist() == [CODES[code]]


@pytest.mark.parametrize("first_as_neutral", [False, True])
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (None, "no emotion file: this sequence is unlabelled"),
        (0, "Emotion/S005/002/S005_002_00000006_emotion.txt holds 0, no expression: this sequence is unlabelled"),
    ],
)
def test_sequence_without_a_label_is_counted_once_and_is_never_neutral(lay_out, first_as_neutral, code, reason):
    dataset = ckplus.load(lay_out(authors_files() | sequence("S005/002", 6, code)), first_as_neutral=first_as_neutral)
    assert "S005_002" not in set(dataset.table["sequence"])
    assert dataset.skipped.to_dict("list") == {"image": ["S005/002"], "reason": [reason]}


def test_sequence_too_short_is_left_out_and_uses_no_frame_twice(lay_out):
    location = lay_out(authors_files() | sequence("S011/001", 3, 5))
    assert Counter(ckplus.load(location).table["sequence"])["S011_001"] == 3
    dataset = ckplus.load(location, first_as_neutral=True)
    assert Counter(dataset.table["sequence"]) == {"S005_001": 4, "S010_002": 4}
    assert dataset.skipped["image"].tolist() == ["S005/002", "S011/001"]
    assert dataset.skipped["reason"].iloc[1] == "too short: 3 frames, and last_frames=3, first_as_neutral=True need 4"


def test_frame_numbers_may_have_gaps_and_keep_their_order(lay_out):
    files = sequence("S005/001", 0, None) | {
        f"cohn-kanade-images/S005/001/S005_001_{number:08d}.png": b"" for number in (12, 3, 9)
    }
    table = ckplus.load(lay_out(files | {"Emotion/S005/001/S005_001_00000012_emotion.txt": "5"}), last_frames=2).table
    assert table["frame"].tolist() == [9, 12]


def test_labels_of_a_sequence_without_images_are_listed(lay_out):
    emotion = {"Emotion/S011/001/S011_001_00000009_emotion.txt": "   5.0000000e+00"}
    dataset = ckplus.load(lay_out(authors_files() | emotion))
    reason = "no image, though Emotion/S011/001/S011_001_00000009_emotion.txt labels this sequence"
    assert ("S011/001", reason) in set(dataset.skipped.itertuples(index=False, name=None))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cohn-kanade-images/S005/001/foo.png", "S005/001/S005_001_00000011.png"),
        ("cohn-kanade-images/S005/001/S005_001_11.png", "S005/001/S005_001_00000011.png"),
        ("Emotion/S005/001/foo_emotion.txt", "S005/001/S005_001_00000011_emotion.txt"),
    ],
)
def test_name_that_does_not_parse_is_listed_with_its_path_and_what_is_expected(lay_out, name, expected):
    location = lay_out(authors_files() | {name: b""})
    dataset = ckplus.load(location)
    assert len(dataset.table) == 6
    reasons = dict(dataset.skipped.itertuples(index=False, name=None))
    assert (
        reasons[name] == f"{location}/{name} does not say subject, sequence and frame: expected a name like {expected}"
    )


def test_other_files_of_the_authors_do_not_matter(lay_out):
    others = {
        "Landmarks/S005/001/S005_001_00000001_landmarks.txt": "1 2",
        "FACS_labels/S005/001/S005_001_00000005_facs.txt": "9 4",
        "ReadMeCohnKanadeDatabase_website.pdf": b"",
        "cohn-kanade-images/S005/.DS_Store": b"",
    }
    assert len(ckplus.load(lay_out(authors_files() | others)).skipped) == 1


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("", "''"),
        ("   \n", "''"),
        ("happy", "'happy'"),
        ("8.0000000e+00", "'8.0000000e\\+00'"),
        ("-1", "'-1'"),
        ("2.5", "'2.5'"),
        ("nan", "'nan'"),
        ("3 4", "'3 4'"),
    ],
)
def test_emotion_file_without_one_of_the_codes_is_an_error_that_names_it(lay_out, content, shown):
    name = "Emotion/S005/001/S005_001_00000005_emotion.txt"
    location = lay_out(authors_files() | {name: content})
    with pytest.raises(
        LayoutError,
        match=rf"{location}/{name} holds {shown}: expected one number from 0 to 7; unpack Emotion_labels.zip again",
    ):
        ckplus.load(location)


def test_emotion_file_of_bytes_that_are_no_text_is_an_error_that_names_it(lay_out):
    name = "Emotion/S005/001/S005_001_00000005_emotion.txt"
    with pytest.raises(LayoutError, match=rf"{name} is damaged or no text .*: remove it and download it again"):
        ckplus.load(lay_out(authors_files() | {name: b"\xff\xfe\x00"}))


def test_two_emotion_files_of_one_sequence_are_an_error_that_names_both(lay_out):
    with pytest.raises(
        LayoutError,
        match=r"S005_001_00000004_emotion\.txt and .*S005_001_00000005_emotion\.txt are two emotion files of one sequence",
    ):
        ckplus.load(lay_out(authors_files() | {"Emotion/S005/001/S005_001_00000004_emotion.txt": "   3.0000000e+00"}))


@pytest.mark.parametrize(
    "name",
    [
        "cohn-kanade-images/S005/001/S006_001_00000001.png",
        "cohn-kanade-images/S006/002/S006_001_00000001.png",
        "Emotion/S005/002/S006_001_00000001_emotion.txt",
    ],
)
def test_file_in_the_folder_of_another_subject_or_sequence_is_an_error_that_names_it(lay_out, name):
    folder = "/".join(name.split("/")[1:3])
    with pytest.raises(
        LayoutError, match=rf"{name} lies in {folder}, but its name says S006/001: move it or remove it"
    ):
        ckplus.load(lay_out(authors_files() | {name: "1"}))


def test_two_copies_in_one_place_are_an_error_and_not_one_doubled_set(lay_out):
    with pytest.raises(
        LayoutError,
        match=r"cohn-kanade-images/S005/001/S005_001_00000001\.png and copy/.*\.png are the same frame: remove one, or name",
    ):
        ckplus.load(lay_out(authors_files() | sequence("S005/001", 5, None, top="copy/")))


def test_images_without_the_emotion_files_are_an_error_that_says_what_is_missing(lay_out):
    location = lay_out(sequence("S005/001", 5, None))
    with pytest.raises(
        LayoutError,
        match=rf"no labelled sequence under {location} \(1 left out, the first is S005/001: no emotion file.*\): expected .*Emotion/",
    ):
        ckplus.load(location)


def test_emotion_files_without_the_images_are_an_error_that_says_what_is_missing(lay_out):
    location = lay_out({"Emotion/S005/001/S005_001_00000005_emotion.txt": "3"})
    with pytest.raises(
        LayoutError,
        match=rf"no labelled sequence under {location} \(1 left out, .*: no image, though Emotion/.*\): expected cohn-kanade-images/",
    ):
        ckplus.load(location)


def test_numbers_other_than_the_published_ones_stand_in_a_note(lay_out):
    (note,) = ckplus.load(lay_out(authors_files())).notes
    assert note.startswith(
        "This copy does not have the numbers of Lucey et al. 2010: 3 sequences (593 published), 2 subjects (123 published), "
    )
    assert "2 labelled sequences (327 published), 0 labelled happy (69 published)" in note
    assert "1 labelled disgust (59 published)" in note


def test_copy_with_all_published_numbers_has_no_note(lay_out):
    codes = [
        code for code, number in zip(range(1, 8), (45, 18, 59, 25, 69, 28, 83), strict=True) for _ in range(number)
    ]
    files: dict[str, bytes | str] = {}
    for place in range(593):
        code = codes[place] if place < 327 else None
        files |= sequence(f"S{place % 123 + 1:03d}/{place // 123 + 1:03d}", 1, code)
    dataset = ckplus.load(lay_out(files), last_frames=1)
    assert dataset.notes == ()
    assert (len(dataset.table), len(dataset.skipped)) == (327, 266)


def test_sequence_that_does_not_end_at_its_labelled_peak_is_named_in_a_note(lay_out):
    files = authors_files()
    del files["cohn-kanade-images/S005/001/S005_001_00000005.png"]
    notes = ckplus.load(lay_out(files)).notes
    assert notes[1].startswith(
        "1 sequences do not end at the frame that their emotion file names, the first is S005_001"
    )


@pytest.mark.parametrize("top", ["CK+48/", "", "archive/CK+48/"])
def test_class_folders_of_kaggle_give_each_frame_its_expression_subject_and_sequence(lay_out, top):
    dataset = ckplus.load(lay_out(ck48_files(top)))
    expected = [
        (
            f"{top}{name}/S{10 + place:03d}_004_{17 + step:08d}.png",
            name.replace("sadness", "sad"),
            f"S{10 + place:03d}",
            f"S{10 + place:03d}_004",
            17 + step,
        )
        for place, name in enumerate(CK48_FOLDERS)
        for step in range(3)
    ]
    assert rows_of(dataset) == expected
    assert dataset.table["split"].isna().all()
    assert len(dataset.skipped) == 0


@pytest.mark.parametrize(("last_frames", "frames"), [(1, [19]), (2, [18, 19]), (3, [17, 18, 19])])
def test_fewer_last_frames_are_the_last_of_those_in_kaggles_copy(lay_out, last_frames, frames):
    table = ckplus.load(lay_out(ck48_files()), last_frames=last_frames).table
    assert table.groupby("sequence")["frame"].apply(list).tolist() == [frames] * 7


def test_frames_that_kaggles_copy_does_not_have_are_named_in_notes_and_are_no_error(lay_out):
    dataset = ckplus.load(lay_out(ck48_files()), last_frames=5, first_as_neutral=True)
    assert len(dataset.table) == 21
    assert "neutral" not in set(dataset.table["expression"])
    assert (
        dataset.notes[1]
        == "7 sequences of this copy have fewer than the last 5 frames asked for: all they have are taken."
    )
    assert dataset.notes[2].startswith("This copy has no first frames, and so no neutral images")


def test_name_that_does_not_parse_is_listed_in_kaggles_copy_too(lay_out):
    location = lay_out(ck48_files() | {"CK+48/happy/foo.png": b""})
    dataset = ckplus.load(location)
    assert len(dataset.table) == 21
    reason = f"{location}/CK+48/happy/foo.png does not say subject, sequence and frame: expected a name like CK+48/anger/S010_004_00000017.png"
    assert dataset.skipped.to_dict("list") == {"image": ["CK+48/happy/foo.png"], "reason": [reason]}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("CK+48/bored/S099_001_00000001.png", r"unknown expression 'bored' in .*/CK\+48: .* rename or remove it"),
        (
            "CK+48/neutral/S099_001_00000001.png",
            r"CK\+48/neutral/S099_001_00000001\.png is labelled neutral, which CK\+48 does not have: remove that class",
        ),
        (
            "CK+48/happy/S010_004_00000020.png",
            r"happy/S010_004_00000020\.png is labelled happy, another frame of S010_004 anger: remove the wrong ones",
        ),
        (
            "copy/anger/S010_004_00000017.png",
            r"CK\+48/anger/S010_004_00000017\.png and copy/anger/S010_004_00000017\.png are the same frame",
        ),
        ("S099_001_00000001.png", r"S099_001_00000001\.png lies in no class folder: move it into CK\+48/<class>/"),
    ],
    ids=["unknown class", "neutral", "two classes", "two copies", "no class"],
)
def test_contradiction_in_kaggles_copy_is_an_error_that_names_the_file(lay_out, name, problem):
    with pytest.raises(LayoutError, match=problem):
        ckplus.load(lay_out(ck48_files() | {name: b""}))


def test_both_layouts_in_one_place_are_an_error(lay_out):
    with pytest.raises(
        LayoutError,
        match=r"CK\+48/anger/S010_004_00000017\.png lies in CK\+48/anger, but its name says S010/004: move it or remove it",
    ):
        ckplus.load(lay_out(authors_files() | ck48_files()))


@pytest.mark.parametrize(
    "files",
    [{"readme.txt": ""}, {"happy/1.jpg": b""}, {"S010_004_00000017.png": b""}],
    ids=["no image", "other names", "no folder"],
)
def test_other_layout_is_an_error_that_says_what_was_expected(lay_out, files):
    location = lay_out(files)
    with pytest.raises(
        FileNotFoundError,
        match=rf"no CK\+ under {location}: expected cohn-kanade-images/.* or CK\+48/<class>/\*\.png; see data/README\.md",
    ):
        ckplus.load(location)


def test_missing_folder_says_what_is_missing_and_the_next_step(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such folder or archive: .*/nowhere; name one that exists"):
        ckplus.load(tmp_path / "nowhere")


def test_no_frame_at_all_cannot_be_asked_for(tmp_path):
    with pytest.raises(ValueError, match=r"last_frames is 0: take at least 1 frame of each sequence"):
        ckplus.load(tmp_path, last_frames=0)


@pytest.mark.parametrize("name", ["ckplus", "CK+.zip", "ckplus48.zip", "CK+48"])
def test_data_set_is_found_by_its_usual_names_and_takes_its_options(tmp_path, monkeypatch, write_files, name):
    monkeypatch.setenv("FER_DATA_DIR", str(tmp_path))
    location = write_files(tmp_path / name, ck48_files())
    dataset = datasets.load("ckplus", last_frames=1)
    assert dataset.location == location
    assert len(dataset.table) == 7


def test_frames_reach_the_array_in_the_order_of_the_table(lay_out, encode):
    frames = {
        f"cohn-kanade-images/S005/001/S005_001_{number:08d}.png": encode(np.full((49, 64), 10 * number, "uint8"))
        for number in range(1, 6)
    }
    table = ckplus.load(lay_out(frames | {"Emotion/S005/001/S005_001_00000005_emotion.txt": "3"})).table
    assert read_images(table, side=8).pixels[:, 4, 4, 0].tolist() == [30, 40, 50]


def test_real_ck48_has_three_frames_of_each_published_sequence(real_data):
    dataset = ckplus.load(real_data("ckplus48"))
    table = dataset.table
    assert (len(table), table["sequence"].nunique(), table["subject"].nunique()) == (981, 327, 118)
    assert set(table.groupby("sequence").size()) == {3}
    published = {
        "anger": 45,
        "contempt": 18,
        "disgust": 59,
        "fear": 25,
        "happy": 69,
        "sad": 28,
        "surprise": 83,
    }  # Lucey et al. 2010
    assert Counter(table.drop_duplicates("sequence")["expression"]) == published
    assert (dataset.notes, len(dataset.skipped)) == ((), 0)
    assert (table.groupby("sequence")["frame"].agg(lambda frames: frames.max() - frames.min()) == 2).all()


def test_real_ck48_gives_the_last_frame_of_each_sequence(real_data):
    location = real_data("ckplus48")
    last = ckplus.load(location, last_frames=1).table.set_index("sequence")["frame"]
    assert len(last) == 327
    pd.testing.assert_series_equal(last, ckplus.load(location).table.groupby("sequence")["frame"].max().loc[last.index])
