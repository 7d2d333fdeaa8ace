"""CK+ reads alike from both layouts, no unlabelled sequence becomes neutral, and contradictions are errors."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from fer_helpers.datasets import ckplus
from fer_helpers.datasets.table import LayoutError
from fer_helpers.images import read_images

# 0 to 7, from the authors' read-me.
CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sad", "surprise")
CK48_FOLDERS = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
IMAGES = "cohn-kanade-images"
PEAK = "Emotion/S005/001/S005_001_00000005_emotion.txt"


def sequence(folder: str, frames: int, code: float | None, top="", label_top="", content=b"") -> dict[str, bytes | str]:
    """The frames of one sequence as the authors name them, and its emotion file if it has a code."""
    stem = folder.replace("/", "_")
    files: dict[str, bytes | str] = {
        f"{top}{IMAGES}/{folder}/{stem}_{number:08d}.png": content for number in range(1, frames + 1)
    }
    if code is not None:
        files[f"{label_top}Emotion/{folder}/{stem}_{frames:08d}_emotion.txt"] = f"   {code:.7e}\n"
    return files


def authors_files(top: str = "", label_top: str = "") -> dict[str, bytes | str]:
    """Two labelled sequences, disgust and surprise, and one without a label."""
    labelled = sequence("S005/001", 5, 3, top, label_top) | sequence("S010/002", 4, 7, top, label_top)
    return labelled | sequence("S005/002", 6, None, top, label_top)


def ck48_files(top: str = "CK+48/") -> dict[str, bytes]:
    """One sequence of three frames for each class, of a subject of its own."""
    return {
        f"{top}{name}/S{10 + place:03d}_004_{17 + step:08d}.png": b""
        for place, name in enumerate(CK48_FOLDERS)
        for step in range(3)
    }


def rows_of(dataset) -> list[tuple]:
    columns = ["image", "expression", "subject", "sequence", "frame"]
    return list(dataset.table[columns].itertuples(index=False, name=None))


def authors_rows(first: str, *frames: tuple[str, int, str]) -> list[tuple]:
    stems = [(folder.replace("/", "_"), folder, frame, expression) for folder, frame, expression in frames]
    return [
        (f"{first}{IMAGES}/{folder}/{stem}_{frame:08d}.png", expression, stem[:4], stem, frame)
        for stem, folder, frame, expression in stems
    ]


@pytest.mark.parametrize(
    ("top", "label_top"),
    [("", ""), ("CK+/", "CK+/"), ("extended-cohn-kanade-images/", "Emotion_labels/")],
    ids=["at the top", "below a folder", "archives unpacked side by side"],
)
@pytest.mark.parametrize(
    ("options", "disgust", "surprise", "neutral"),
    [
        ({}, (3, 4, 5), (2, 3, 4), ()),
        ({"first_as_neutral": True}, (3, 4, 5), (2, 3, 4), (1,)),  # alam_2022
        ({"last_frames": 1}, (5,), (4,), ()),  # singh_2022
    ],
)
def test_last_frames_bear_the_expression_of_their_sequence(
    lay_out, top, label_top, options, disgust, surprise, neutral
):
    location = lay_out(authors_files(top, label_top))
    dataset = ckplus.load(location, **options)
    frames = [("S005/001", frame, "neutral") for frame in neutral] + [
        ("S005/001", frame, "disgust") for frame in disgust
    ]
    frames += [("S010/002", frame, "neutral") for frame in neutral] + [
        ("S010/002", frame, "surprise") for frame in surprise
    ]
    assert rows_of(dataset) == authors_rows(top, *frames)
    assert dataset.table["path"].tolist() == [f"{location.as_posix()}/{name}" for name in dataset.table["image"]]
    assert dataset.table["split"].isna().all()
    reason = "no emotion file: this sequence is unlabelled"
    assert dataset.skipped.to_dict("list") == {"image": ["S005/002"], "reason": [reason]}


@pytest.mark.parametrize("code", range(1, 8))
def test_each_code_is_the_expression_of_the_authors_read_me(lay_out, code):
    dataset = ckplus.load(lay_out(sequence("S005/001", 3, code)), last_frames=1)
    assert dataset.table["expression"].tolist() == [CODES[code]]


def test_frame_numbers_may_have_gaps_and_keep_their_order(lay_out):
    files = {f"{IMAGES}/S005/001/S005_001_{number:08d}.png": b"" for number in (12, 3, 9)}
    table = ckplus.load(lay_out(files | {"Emotion/S005/001/S005_001_00000012_emotion.txt": "5"}), last_frames=2).table
    assert table["frame"].tolist() == [9, 12]


UNLABELLED = {"S005/002": "no emotion file: this sequence is unlabelled"}
UNNAMED = "does not say subject, sequence and frame: expected a name like S005/001/S005_001_00000011"
OTHERS = {
    "Landmarks/S005/001/S005_001_00000001_landmarks.txt": "1 2",
    "FACS_labels/S005/001/S005_001_00000005_facs.txt": "9 4",
    "ReadMeCohnKanadeDatabase_website.pdf": b"",
    f"{IMAGES}/S005/.DS_Store": b"",
}


@pytest.mark.parametrize("first_as_neutral", [False, True])
@pytest.mark.parametrize(
    ("change", "skipped"),
    [
        (OTHERS, UNLABELLED),
        (
            sequence("S005/002", 6, 0),
            {"S005/002": "S005_002_00000006_emotion.txt holds 0, no expression: this sequence is"},
        ),
        (
            sequence("S011/001", 2, 5),
            UNLABELLED | {"S011/001": "too short: 2 frames, and last_frames=3, first_as_neutral="},
        ),
        (
            {"Emotion/S011/001/S011_001_00000009_emotion.txt": "   5.0000000e+00"},
            UNLABELLED
            | {"S011/001": "no image, though Emotion/S011/001/S011_001_00000009_emotion.txt labels this sequence"},
        ),
        ({"x.webp": b""}, UNLABELLED | {"x.webp": UNNAMED}),
        ({"x.heic": b""}, UNLABELLED | {"x.heic": "has none of the suffixes"}),
        *(
            ({name: b""}, UNLABELLED | {name: f"AT/{name} {UNNAMED}"})
            for name in (
                f"{IMAGES}/S005/001/foo.png",
                f"{IMAGES}/S005/001/S005_001_11.png",
                "Emotion/S005/001/foo_emotion.txt",
            )
        ),
    ],
)
def test_sequence_or_file_that_is_not_used_is_listed(skips, change, skipped, first_as_neutral):
    rows = 8 if first_as_neutral else 6
    dataset = skips(ckplus.load, authors_files(), change, rows, skipped, first_as_neutral=first_as_neutral)
    assert Counter(dataset.table["sequence"]) == {"S005_001": rows // 2, "S010_002": rows // 2}


def test_sequence_just_long_enough_is_used(lay_out):
    location = lay_out(authors_files() | sequence("S011/001", 3, 5))
    assert Counter(ckplus.load(location).table["sequence"])["S011_001"] == 3
    assert "S011_001" not in set(ckplus.load(location, first_as_neutral=True).table["sequence"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(
            (
                {PEAK: content},
                f"AT/{PEAK} holds {content.strip()!r}: expected one number from 0 to 7; unpack Emotion_labels",
            )
            for content in ("", "   \n", "happy", "8.0000000e+00", "-1", "2.5", "nan", "3 4", "1" * 40)
        ),
        ({PEAK: "1" * 4301}, f"AT/{PEAK} holds '1111"),
        ({PEAK: b"\xff\xfe\0"}, f"AT/{PEAK} holds "),
        (
            {PEAK.replace("05_e", "04_e"): "   3.0"},
            "4_emotion.txt and AT/ .. 5_emotion.txt are two emotion files of one",
        ),
        ({f"{IMAGES}/S005/001/S006_001_00000001.png": b""}, "S006_001_00000001.png lies in S005/001, but its name"),
        ({f"{IMAGES}/S006/002/S006_001_00000001.png": b""}, "lies in S006/002, but its name says S006/001"),
        ({"Emotion/S005/002/S006_001_00000001_emotion.txt": "1"}, "lies in S005/002, but its name says S006/001"),
        (
            sequence("S005/001", 5, None, top="copy/", content=b"x"),
            f"more than one copy .. copy/{IMAGES}/S005/001/S005_001_",
        ),
        (sequence("S005/001", 6, None, top="copy/"), f"more than one copy .. copy/{IMAGES}/S005/001/S005_001_"),
        ({f"copy/{PEAK}": "1"}, f"more than one copy .. copy/{PEAK}"),
        (
            {"-Emotion": 0},
            "no image under AT can be used (3 left out, the first is S005/001: no emotion file .. Emotion/",
        ),
        ({"-.png": 0}, "no image under AT can be used (2 left out .. : no image, though Emotion/ .. expected"),
        (ck48_files(), "CK+48/anger/S010_004_00000017.png lies in CK+48/anger, but its name says S010/004: move or"),
    ],
)
def test_contradiction_in_the_authors_layout_is_an_error_that_names_the_file(refuses, change, message):
    refuses(ckplus.load, authors_files(), change, LayoutError, message)


@pytest.mark.parametrize(
    ("files", "copy"),
    [
        (authors_files(), sequence("S005/001", 5, 3, top="copy/", label_top="copy/")),
        (ck48_files(), {"copy/anger/S010_004_00000017.png": b""}),
    ],
)
def test_second_copy_with_the_same_bytes_is_left_aside_with_a_note(lay_out, files, copy):
    once, twice = ckplus.load(lay_out(files)), ckplus.load(lay_out(files | copy))
    assert sorted(once.table["sequence"]) == sorted(twice.table["sequence"])
    assert len(once.skipped) == len(twice.skipped)
    assert twice.notes[-1].startswith(f"{len(copy)} files are there a second time, byte for byte the same")


def test_numbers_other_than_the_published_ones_stand_in_a_note(lay_out):
    (note,) = ckplus.load(lay_out(authors_files())).notes
    start = "This copy does not have the numbers of Lucey et al. 2010: "
    assert note.startswith(start)
    counts = [
        "3 sequences (593",
        "2 subjects (123",
        "2 labelled sequences (327",
        "0 labelled happy (69",
        "1 labelled disgust",
    ]
    assert all(count in note for count in counts)


def test_copy_with_all_published_numbers_has_no_note(lay_out):
    numbers = zip(range(1, 8), (45, 18, 59, 25, 69, 28, 83), strict=True)
    codes = [code for code, number in numbers for _ in range(number)]
    files: dict[str, bytes | str] = {}
    for place in range(593):
        code = codes[place] if place < 327 else None
        files |= sequence(f"S{place % 123 + 1:03d}/{place // 123 + 1:03d}", 1, code)
    dataset = ckplus.load(lay_out(files), last_frames=1)
    assert (dataset.notes, len(dataset.table), len(dataset.skipped)) == ((), 327, 266)


def test_sequence_that_does_not_end_at_its_labelled_peak_is_named_in_a_note(lay_out):
    files = authors_files()
    del files[f"{IMAGES}/S005/001/S005_001_00000005.png"]
    note = "1 sequences do not end at the frame that their emotion file names, the first is S005_001"
    assert ckplus.load(lay_out(files)).notes[1].startswith(note)


@pytest.mark.parametrize("top", ["CK+48/", "", "archive/CK+48/"])
@pytest.mark.parametrize(("last_frames", "frames"), [(1, [19]), (2, [18, 19]), (3, [17, 18, 19])])
def test_class_folders_of_kaggle_give_expression_subject_and_sequence(lay_out, top, last_frames, frames):
    dataset = ckplus.load(lay_out(ck48_files(top)), last_frames=last_frames)
    expected = [
        (f"{top}{name}/{stem}_{frame:08d}.png", name.replace("sadness", "sad"), stem[:4], stem, frame)
        for name, stem in ((name, f"S{10 + place:03d}_004") for place, name in enumerate(CK48_FOLDERS))
        for frame in frames
    ]
    assert rows_of(dataset) == expected
    assert dataset.table["split"].isna().all() and len(dataset.skipped) == 0


def test_part_of_an_archive_is_read_when_it_is_named(tmp_path, write_files):
    archive = write_files(tmp_path / "ckplus.zip", ck48_files() | authors_files("other/", "other/"))
    dataset = ckplus.load(archive / "CK+48")
    assert len(dataset.table) == 21
    assert dataset.table["path"][0] == f"{archive}/CK+48/anger/S010_004_00000017.png"
    assert len(ckplus.load(archive / "other").table) == 6


def test_frames_that_kaggles_copy_does_not_have_are_named_in_notes_and_are_no_error(lay_out):
    dataset = ckplus.load(lay_out(ck48_files()), last_frames=5, first_as_neutral=True)
    assert len(dataset.table) == 21 and "neutral" not in set(dataset.table["expression"])
    short = "7 sequences of this copy have fewer than the last 5 frames asked for: all they have are taken."
    assert dataset.notes[1] == short
    assert dataset.notes[2].startswith("This copy has no first frames, and so no neutral images")


def test_name_that_does_not_parse_is_listed_in_kaggles_copy_too(skips):
    reason = (
        "AT/CK+48/happy/foo.png does not say subject, sequence and frame: expected a name like CK+48/anger/S010_004_"
    )
    skips(ckplus.load, ck48_files(), {"CK+48/happy/foo.png": b""}, 21, {"CK+48/happy/foo.png": reason})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"CK+48/bored/S099_001_00000001.png": b""}, "unknown expression 'bored' in AT/CK+48: .. rename or remove it"),
        ({"CK+48/neutral/S099_001_00000001.png": b""}, "neutral/S099_001_00000001.png is labelled neutral, which"),
        ({"CK+48/happy/S010_004_00000020.png": b""}, "happy/S010_004_00000020.png is labelled happy, another frame"),
        ({"CK+48/happy/S010_004_00000017.png": b""}, "is labelled happy, another frame of S010_004 anger"),
        ({"copy/anger/S010_004_00000017.png": b"x"}, "more than one copy .. copy/anger/S010_004_00000017.png"),
        ({"S099_001_00000001.png": b""}, "S099_001_00000001.png lies in no class folder: move it into CK+48/<class>/"),
    ],
)
def test_contradiction_in_kaggles_copy_is_an_error_that_names_the_file(refuses, change, message):
    refuses(ckplus.load, ck48_files(), change, LayoutError, message)


@pytest.mark.parametrize("files", [{"readme.txt": ""}, {"happy/1.jpg": b""}, {"S010_004_00000017.png": b""}])
def test_other_layout_is_an_error_that_says_what_was_expected(refuses, files):
    message = "no CK+ under AT: expected cohn-kanade-images/ .. or CK+48/<class>/*.png; see data/README.md"
    refuses(ckplus.load, files, {}, FileNotFoundError, message)


def test_no_frame_at_all_cannot_be_asked_for(tmp_path):
    with pytest.raises(ValueError, match=r"last_frames is 0: take at least 1 frame of each sequence"):
        ckplus.load(tmp_path, last_frames=0)


def test_frames_reach_the_array_in_the_order_of_the_table(lay_out, encode):
    frames = {
        f"{IMAGES}/S005/001/S005_001_{number:08d}.png": encode(np.full((49, 64), 10 * number, "uint8"))
        for number in range(1, 6)
    }
    table = ckplus.load(lay_out(frames | {PEAK: "3"})).table
    assert read_images(table, side=8).pixels[:, 4, 4, 0].tolist() == [30, 40, 50]


def test_real_ck48_has_three_frames_of_each_published_sequence(real_data):
    location = real_data("ckplus48")
    dataset = ckplus.load(location)
    table = dataset.table
    assert (len(table), table["sequence"].nunique(), table["subject"].nunique()) == (981, 327, 118)
    assert set(table.groupby("sequence").size()) == {3}
    numbers = (45, 18, 59, 25, 69, 28, 83)  # Lucey et al. 2010
    assert Counter(table.drop_duplicates("sequence")["expression"]) == dict(zip(CODES[1:], numbers, strict=True))
    assert (dataset.notes, len(dataset.skipped)) == ((), 0)
    frames = table.groupby("sequence")["frame"]
    assert (frames.max() - frames.min() == 2).all()
    last = ckplus.load(location, last_frames=1).table.set_index("sequence")["frame"]
    pd.testing.assert_series_equal(last, frames.max().loc[last.index])
    assert len(ckplus.load(location / "CK+48").table) == 981
