"""CK+ reads alike from both layouts, no unlabelled sequence becomes neutral, and contradictions are errors."""

from collections import Counter

import pytest

from fer_helpers.datasets import ckplus

# 0 to 7, from the authors' read-me.
CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sad", "surprise")
CK48_FOLDERS = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
IMAGES = "cohn-kanade-images"
PEAK = "Emotion/S005/001/S005_001_00000005_emotion.txt"


def sequence(folder: str, frames: int, code: float | None, top="", label_top="") -> dict[str, bytes | str]:
    """The frames of one sequence as the authors name them, and its emotion file if it has a code."""
    stem = folder.replace("/", "_")
    names = [f"{top}{IMAGES}/{folder}/{stem}_{number:08d}.png" for number in range(1, frames + 1)]
    files: dict[str, bytes | str] = dict.fromkeys(names, b"")
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


UNLABELLED = {"S005/002": "no emotion file: this sequence is unlabelled"}


@pytest.mark.parametrize(
    ("top", "label_top"), [("", ""), ("CK+/", "CK+/"), ("extended-cohn-kanade-images/", "Emotion_labels/")]
)
@pytest.mark.parametrize(
    ("options", "disgust", "surprise"),
    [
        ({}, (3, 4, 5), (2, 3, 4)),
        ({"first_as_neutral": True}, (1, 3, 4, 5), (1, 2, 3, 4)),  # alam_2022
        ({"last_frames": 1}, (5,), (4,)),  # singh_2022
    ],
)
def test_last_frames_bear_the_expression_of_their_sequence(skips, top, label_top, options, disgust, surprise):
    rows = len(disgust) + len(surprise)
    dataset = skips(ckplus.load, authors_files(top, label_top), {}, rows, UNLABELLED, **options)
    frames = [("S005", "S005_001", frame, "neutral" if frame == 1 else "disgust") for frame in disgust]
    frames += [("S010", "S010_002", frame, "neutral" if frame == 1 else "surprise") for frame in surprise]
    assert rows_of(dataset) == [
        (f"{top}{IMAGES}/{stem.replace('_', '/')}/{stem}_{frame:08d}.png", expression, subject, stem, frame)
        for subject, stem, frame, expression in frames
    ]
    assert dataset.table["split"].isna().all()


def test_frame_numbers_may_have_gaps_and_keep_their_order(lay_out):
    files = {f"{IMAGES}/S005/001/S005_001_{number:08d}.png": b"" for number in (12, 3, 9)}
    table = ckplus.load(lay_out(files | {"Emotion/S005/001/S005_001_00000012_emotion.txt": "5"}), last_frames=2).table
    assert table["frame"].tolist() == [9, 12]


UNNAMED = "does not say subject, sequence and frame: expected a name like S005_001_00000011"
EMPTY = "Emotion/S011/001/S011_001_00000009_emotion.txt"


@pytest.mark.parametrize("first_as_neutral", [False, True])
@pytest.mark.parametrize(
    ("change", "skipped"),
    [
        (sequence("S005/002", 6, 0), {"S005/002": "S005_002_00000006_emotion.txt names no expression but neutral"}),
        (sequence("S011/001", 2, 5), UNLABELLED | {"S011/001": "too short: 2 frames, and last_frames=3, first_as_neu"}),
        ({EMPTY: "   5.0000000e+00"}, UNLABELLED | {"S011/001": f"no image, though {EMPTY} labels this sequence"}),
        ({"x.heic": b"", "ReadMe.pdf": b""}, UNLABELLED | {"x.heic": "has none of the suffixes"}),
        *(
            ({name: b""}, UNLABELLED | {name: f"AT/{name} {UNNAMED}"})
            for name in ("x.webp", f"{IMAGES}/S005/001/S005_001_11.png", "Emotion/S005/001/foo_emotion.txt")
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
            ({PEAK: content}, f"AT/{PEAK} holds {content.strip()[:50]!r}"[:-1] + " .. expected one number from 0 to 7")
            for content in ("", "   \n", "happy", "8.0000000e+00", "-1", "2.5", "nan", "3 4", "1" * 4301)
        ),
        ({PEAK: b"\xff\xfe\0"}, f"AT/{PEAK} holds "),
        ({PEAK.replace("05_e", "04_e"): " 1.0"}, "5_emotion.txt says disgust of S005_001, .. 4_emotion.txt says ang"),
        ({f"{IMAGES}/S006/002/S006_001_00000001.png": b""}, "lies in S006/002, but its name says S006/001"),
        ({"Emotion/S005/002/S006_001_00000001_emotion.txt": "1"}, "lies in S005/002, but its name says S006/001"),
        (sequence("S005/001", 6, None, top="copy/"), f"more than one copy .. copy/{IMAGES}/S005/001/S005_001_"),
        ({f"copy/{PEAK}": "1"}, f"more than one copy .. copy/{PEAK}"),
        ({"-Emotion": 0}, "no image under AT can be used (3 left out, the first is S005/001: no emotion file"),
        ({"-.png": 0}, "no image under AT can be used (2 left out .. : no image, though Emotion/ .. expected"),
        (ck48_files(), "CK+48/anger/S010_004_00000017.png lies in CK+48/anger, but its name says S010/004: move or"),
    ],
)
def test_contradiction_in_the_authors_layout_is_an_error_that_names_the_file(refuses, change, message):
    refuses(ckplus.load, authors_files(), change, message)


@pytest.mark.parametrize(
    ("files", "copy"),
    [
        (authors_files(), sequence("S005/001", 5, 3, top="copy/", label_top="copy/")),
        (ck48_files(), {"copy/anger/S010_004_00000017.png": b""}),
    ],
)
def test_one_of_two_copies_is_read(reads_one_of_two_copies, files, copy):
    reads_one_of_two_copies(ckplus.load, files, copy)


def test_copy_with_all_published_numbers_has_no_note_and_all_codes(lay_out):
    numbers = zip(range(1, 8), (45, 18, 59, 25, 69, 28, 83), strict=True)
    codes = [code for code, number in numbers for _ in range(number)]
    files: dict[str, bytes | str] = {}
    for place in range(593):
        code = codes[place] if place < 327 else None
        files |= sequence(f"S{place % 123 + 1:03d}/{place // 123 + 1:03d}", 1, code)
    dataset = ckplus.load(lay_out(files), last_frames=1)
    assert (dataset.notes, len(dataset.table), len(dataset.skipped)) == ((), 327, 266)
    assert Counter(dataset.table["expression"]) == {CODES[code]: codes.count(code) for code in range(1, 8)}
    with pytest.raises(ValueError, match=r"last_frames is 0: take at least 1 frame of each sequence"):
        ckplus.load(dataset.location, last_frames=0)


def test_other_numbers_than_the_published_and_a_sequence_that_ends_before_its_labelled_peak_stand_in_notes(skips):
    change = {f"-{IMAGES}/S005/001/S005_001_00000005": 0}
    first, second = skips(ckplus.load, authors_files(), change, 6, UNLABELLED).notes
    assert first.startswith("1 sequences do not end at the frame that their emotion file names, the first is S005_001")
    assert "3 sequences (593 published), 2 subjects (123" in second
    assert all(count in second for count in ("2 labelled sequences (327", "0 labelled happy (69", "1 labelled disgust"))


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


def test_frames_that_kaggles_copy_does_not_have_are_named_and_are_no_error(skips):
    dataset = skips(ckplus.load, ck48_files(), {}, 21, {}, first_as_neutral=True)
    assert "neutral" not in set(dataset.table["expression"])
    assert dataset.notes[0].startswith("This copy has no first frames, and so no neutral images")


@pytest.mark.parametrize(
    ("name", "image", "reason"),
    [
        ("CK+48/happy/foo.png", "CK+48/happy/foo.png", f"AT/CK+48/happy/foo.png {UNNAMED}"),
        ("S099_001_00000001.png", "S099_001_00000001.png", "lies where this layout has no image"),
        ("CK+48/happy/S099_001_00000001.png", "S099/001", "too short: 1 frames, and last_frames=3"),
        ("CK+48/neutral/S099_001_00000001.png", "S099/001", "names no expression but neutral: this sequence is unl"),
    ],
)
def test_file_that_is_not_used_is_listed_in_kaggles_copy_too(skips, name, image, reason):
    skips(ckplus.load, ck48_files(), {name: b""}, 21, {image: reason})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"CK+48/bored/S099_001_00000001.png": b""}, "unknown expression 'bored' in AT/CK+48: .. rename or remove it"),
        ({"CK+48/happy/S010_004_00000020.png": b""}, "00020.png says happy of S010_004, CK+48/anger/S010_004_00"),
        ({"CK+48/happy/S010_004_00000017.png": b""}, "00017.png says happy of S010_004, CK+48/anger/S010_004_00"),
    ],
)
def test_contradiction_in_kaggles_copy_is_an_error_that_names_the_file(refuses, change, message):
    refuses(ckplus.load, ck48_files(), change, message)


@pytest.mark.parametrize("files", [{"happy/1.jpg": b""}, {"S010_004_00000017.png": b""}])
def test_other_layout_is_an_error_that_says_what_was_expected(refuses, files):
    message = "no CK+ under AT: expected cohn-kanade-images/ .. or CK+48/<class>/*.png; see data/README.md"
    refuses(ckplus.load, files, {}, message)


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
    assert last.to_dict() == frames.max().to_dict()
    assert len(ckplus.load(location / "CK+48").table) == 981
