"""All loaders by the same tables: of each layout the rows that it gives, and of each fault the sentence it ends in."""

import csv
import io
import math
import pickle
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest

from fer_helpers.datasets import affectnet, ckplus, fer2013, ferplus, jaffe, rafdb
from fer_helpers.datasets.table import LayoutError
from fer_helpers.images import read_images


def images(classes: dict[str, str], **names: str) -> dict[str, tuple[str, str]]:
    """An image of each class in each split, and what a row of the table says of it: its expression and split.

    Classes are given by what stands for them on disk, and names as a pattern, by split, of that and a number.
    """
    return {
        name.format(written, number): (expression, split)
        for split, name in names.items()
        for number, (written, expression) in enumerate(classes.items())
    }


CANONICAL = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")
ANGRY = dict(zip(("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"), CANONICAL, strict=True))
FEARFUL = dict(zip(("angry", "disgusted", "fearful", "happy", "neutral", "sad", "surprised"), CANONICAL, strict=True))
USAGES = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
FER = {"train": "train/{}/Training_{}.jpg", "val": "test/{}/PublicTest_{}.jpg", "test": "test/{}/PrivateTest_{}.jpg"}
FER_CODES = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # 0 to 6 of the challenge
FULL = " ".join(["7"] * 2304)


def pixels_of_row(number: int) -> np.ndarray:
    """A 48x48 image of its own for each row of the CSV."""
    return np.random.default_rng(number).integers(0, 256, (48, 48), dtype="uint8")


def fer_csv(*more: list[str], rows: int = 21, shift: int = 0) -> str:
    """All seven codes in each of the three usages, and further rows."""
    text, usages = io.StringIO(), list(USAGES)
    data = [[str(n % 7 + shift), " ".join(map(str, pixels_of_row(n).ravel())), usages[n // 7]] for n in range(rows)]
    csv.writer(text).writerows([("emotion", " pixels", "Usage"), *data, *more])
    return text.getvalue()


FER_CSV = {f"fer2013.csv/{n:05d}": (FER_CODES[n % 7], list(USAGES.values())[n // 7]) for n in range(21)}

VOTES = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
VOTES += "Training,fer0000000.png,4,0,0,1,5,0,0,0,0,0\nPublicTest,fer0028638.png,0,10,0,0,0,0,0,0,0,0\n"
VOTES += "PrivateTest,fer0032220.png,0,0,0,0,2,1,0,7,0,0\n"
FERPLUS = {
    "data/FER2013Train/fer0000000.png": ("anger", "train"),
    "data/FER2013Valid/fer0028638.png": ("happy", "val"),
    "data/FER2013Test/fer0032220.png": ("contempt", "test"),
}
ALL_HAPPY = "0,10,0,0,0,0,0,0,0,0"

RAF = dict(zip("1234567", ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral"), strict=True))
RAF_LIST = "EmoLabel/list_patition_label.txt"
RAF_LINES = [f"{split}_{code}.jpg {code}" for split in ("train", "test") for code in RAF]
RAF_UNREAD = {f"Image/original/{split}_{code}.jpg": b"" for split in ("train", "test") for code in RAF}
RAF_UNREAD |= {"Annotation/boundingbox/train_1_boundingbox.txt": "10.5 1.25 110.75 131.25\n"}
RAF_AUTHORS = images(RAF, train="Image/aligned/train_{}_aligned.jpg", test="Image/aligned/test_{}_aligned.jpg")
RAF_FOLDERS = {"train": "DATASET/train/{0}/train_{0}_aligned.jpg", "test": "DATASET/test/{0}/test_{0}_aligned.jpg"}

EIGHT = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")  # 0 to 7 of AffectNet
CODES, NAMES = {str(code): name for code, name in enumerate(EIGHT)}, {name.capitalize(): name for name in EIGHT}
BOXES = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal\n"
MANUAL = "Manually_Annotated_Images"
MANUAL_FILES = {"train": f"{MANUAL}/1/t{{}}.jpg", "test": f"{MANUAL}/2/v{{}}.jpg"}
NINTH, NINTH_CODE = "train_set/images/9.jpg", "train_set/annotations/9_exp.npy"
NPY_FILES = {"train": "train_set/images/{}.jpg", "test": "val_set/images/{}.jpg"}


def box_row(path: str, code: int | str, box: str = "10,20,30,40", affect: str = "0.5,-0.25") -> str:
    return f"{path},{box},1.5;2.5,{code},{affect}\n"


def box_files(*more: str, shift: int = 0) -> dict[str, str]:
    """Both CSV files, the second without a header, with further rows in the first."""
    train, test = ([box_row(f"{folder}{code}.jpg", code + shift) for code in range(8)] for folder in ("1/t", "2/v"))
    return {"training.csv": "".join([BOXES, *train, *more]), "validation.csv": "".join(test)}


def npy(value, allow_pickle: bool = False) -> bytes:
    np.save(content := io.BytesIO(), value, allow_pickle=allow_pickle)
    return content.getvalue()


NPY = {  # codes are texts in one set and numbers in the other
    f"{folder}/annotations/{code}_{what}.npy": npy(value)
    for folder, array in (("train_set", lambda code: np.array(str(code))), ("val_set", lambda code: np.array([code])))
    for code in range(8)
    for what, value in (("exp", array(code)), ("val", np.array("0.5")), ("aro", np.array("-0.25")))
}

FRAMES, PEAK = "cohn-kanade-images", "Emotion/S005/001/S005_001_00000005_emotion.txt"


def sequence(name: str, frames: int, code: float | None = None) -> dict[str, bytes | str]:
    """The frames of a sequence as the authors of CK+ name them, and its emotion file if it has a code."""
    folder = name.replace("_", "/")
    files = {f"{FRAMES}/{folder}/{name}_{number:08d}.png": b"" for number in range(1, frames + 1)}
    label = {f"Emotion/{folder}/{name}_{frames:08d}_emotion.txt": f"   {code or 0:.7e}\n"}
    return files | (label if code is not None else {})


def frame_row(folder: str, sequence: str, frame: int, expression: str) -> dict[str, tuple]:
    return {f"{folder}/{sequence}_{frame:08d}.png": (expression, sequence[:4], sequence, frame)}


def frames(disgust: tuple[int, ...], surprise: tuple[int, ...]) -> dict[str, tuple]:
    """What the table says of frames of two sequences of CK+, of which the first is neutral."""
    rows = {}
    for name, expression, numbers in (("S005_001", "disgust", disgust), ("S010_002", "surprise", surprise)):
        for number in numbers:
            folder = f"{FRAMES}/{name.replace('_', '/')}"
            rows |= frame_row(folder, name, number, expression if number > 1 else "neutral")
    return rows


CK_FILES = sequence("S005_001", 5, 3) | sequence("S010_002", 4, 7)  # disgust and surprise
CK48 = {}
for number in (17, 18, 19):
    CK48 |= frame_row("CK+48/anger", "S010_004", number, "anger")
    CK48 |= frame_row("CK+48/sadness", "S012_002", number, "sad")
JAFFE = {"KA.AN1.39.tiff": ("anger", "KA"), "KA.DI1.42.tiff": ("disgust", "KA"), "KL.FE3.176.tiff": ("fear", "KL")}
JAFFE |= {"KL.HA2.159.tiff": ("happy", "KL"), "UY.NE1.137.tiff.tiff": ("neutral", "UY"), "YM.SA1.55.jpg": ("sad", "YM")}
JAFFE |= {"surprised/ym.su4.61.TIFF": ("surprise", "YM")}

# Of each layout the loader, what the table says of each image, and the files beside these images.
COPIES = {
    "fer2013": (fer2013.load, images(ANGRY, **FER), {}),
    "fer2013.csv": (fer2013.load, FER_CSV, {"fer2013.csv": fer_csv(), "sample.txt": ""}),
    "ferplus": (ferplus.load, FERPLUS, {"fer2013new.csv": VOTES}),
    "ckplus": (ckplus.load, frames((3, 4, 5), (2, 3, 4)), CK_FILES),
    "ck48": (ckplus.load, CK48, {}),
    "jaffe": (jaffe.load, JAFFE, {"README_FIRST.txt": ""}),
    "rafdb": (rafdb.load, RAF_AUTHORS, RAF_UNREAD | {RAF_LIST: "\n".join([*RAF_LINES, " \n"])}),
    "rafdb folders": (rafdb.load, images(RAF, **RAF_FOLDERS), {"train_labels.csv": "image,label\na,9\n"}),
    "affectnet": (affectnet.load, images(CODES, **MANUAL_FILES), box_files()),
    "affectnet npy": (affectnet.load, images(CODES, **NPY_FILES), NPY),
    "affectnet folders": (affectnet.load, images(NAMES, train="Train/{}/{}.jpg", test="Test/{}/{}.jpg"), {}),
}
SUFFIXES = {f"train/sad/a.{suffix}": ("sad", "train") for suffix in ("webp", "PPM", "jpe")}
HALVES = {"train": "train/{}/im{}.png", "val or test": "test/{}/im{}.png"}
MIXED = {"train": "Train/{}/{}.png", "val": "valid/{}/{}.png", "test": "TEST/{}/{}.png"}
ICML = {name.replace("fer2013", "icml_face_data"): row for name, row in FER_CSV.items()}
WINDOWS = {name: text.replace("1/t", "1\\t").replace("2/v", "./2/v") for name, text in box_files().items()}
FIRST, LAST = frames((1, 3, 4, 5), (1, 2, 3, 4)), frames((5,), (4,))
VARIANTS = {
    "other spellings": (fer2013.load, images(FEARFUL, **FER), {}),
    "other suffixes": (fer2013.load, images(ANGRY, **FER) | SUFFIXES, {}),
    "hidden halves": (fer2013.load, images(FEARFUL, **HALVES), {}),
    "capitals, valid": (fer2013.load, images(ANGRY, **MIXED), {}),
    "no test": (fer2013.load, images(ANGRY, train="a/train/{}/{}.jpg", val="a/validation/{}/{}.jpg"), {}),
    "usages": (fer2013.load, images(ANGRY, **{split: f"{usage}/{{}}/{{}}.jpg" for usage, split in USAGES.items()}), {}),
    "icml_face_data": (fer2013.load, ICML, {"icml_face_data.csv": fer_csv()}),
    "ckplus, the last": (partial(ckplus.load, last_frames=1), LAST, CK_FILES),
    "ckplus, the first": (partial(ckplus.load, first_as_neutral=True), FIRST, CK_FILES | sequence("S011_001", 3, 5)),
    "right spelling": (rafdb.load, RAF_AUTHORS, {RAF_LIST.replace("patition", "partition"): "\n".join(RAF_LINES)}),
    "with val": (rafdb.load, images(RAF, **RAF_FOLDERS, val="DATASET/valid/{0}/valid_{0}.jpg"), {}),
    "with val, affectnet": (affectnet.load, images(NAMES, train="train/{}/{}.jpg", val="val/{}/{}.jpg"), {}),
    "paths of Windows": (*COPIES["affectnet"][:2], WINDOWS),
}


def files_of(key: str, change: dict | None = None, top: str = "") -> dict:
    """The files of a copy, some added or replaced; a `-` before a name takes all away that contain the rest of it."""
    _, rows, files = (COPIES | VARIANTS)[key]
    files, change = dict.fromkeys((name for name in rows if ".csv/" not in name), b"") | files, change or {}
    kept = {name: files[name] for name in files if not any(lost[0] == "-" and lost[1:] in name for lost in change)}
    added = {name: content for name, content in change.items() if name[0] != "-"}
    return {f"{top}{name}": content for name, content in (kept | added).items()}


def says(text: str, expected: str, location) -> bool:
    """Whether a text has the parts of what is expected, which ` .. ` divides; `AT` stands for the location."""
    return all(part in text for part in re.sub(r"\bAT\b", location.as_posix(), expected).split(" .. "))


def told(table: pd.DataFrame) -> dict[str, tuple]:
    """What a table says of each image."""
    rows = table.set_index("image")[["expression", "split", "subject", "sequence", "frame"]].astype(object)
    return {image: tuple(value for value in row if not pd.isna(value)) for image, *row in rows.itertuples()}


@pytest.mark.parametrize("key", [*COPIES, *VARIANTS])
@pytest.mark.parametrize("top", ["", "archive (3)/data/"])
def test_layout_gives_each_image_its_expression_split_subject_sequence_and_frame(lay_out, key, top):
    load, rows, _ = (COPIES | VARIANTS)[key]
    dataset = load(lay_out(files_of(key, top=top)))
    assert told(dataset.table) == {name if ".csv/" in name else f"{top}{name}": row for name, row in rows.items()}
    assert dataset.skipped["image"].tolist() == (["S011/001"] if key == "ckplus, the first" else [])  # is too short
    assert dataset.table["split"].isna().all() == key.startswith(("ck", "jaffe"))


@pytest.mark.parametrize("key", COPIES)
def test_second_copy_is_left_aside_with_a_note_if_its_bytes_are_the_same_and_is_else_an_error(lay_out, key):
    load, rows, _ = COPIES[key]
    once, again = load(lay_out(files_of(key))), files_of(key) | files_of(key, top="copy/")
    twice = load(lay_out(again))
    assert (len(once.table), len(once.skipped)) == (len(twice.table), len(twice.skipped))
    assert "files are there a second time, byte for byte the same" in twice.notes[-1]
    other = "copy/fer2013.csv" if rows is FER_CSV else f"copy/{next(iter(rows))}"
    with pytest.raises(LayoutError, match=rf"more than one copy, and they differ \(.*{re.escape(other)}"):
        load(lay_out(again | {other: b"other"}))


SUFFIX = "AT/{} has none of the suffixes that are read: .jpg"
PLACE = "AT/{} lies where this layout has no image, or nothing names it"
UNNAMED = "AT/{} does not say subject, sequence and frame: expected a name like S005_001_00000011"
NO_PICTURE = "AT/{} does not say subject, expression and number: expected a name like KA.AN1.39.tiff"
IN_TRAIN = "AT/{} lies in a folder of train, but its name says "
TWICE = "named a second time: AT/{}, data row {} counts"
ROW = "AT/fer2013.csv, data row 21) .. {}"
VOTED = "AT/fer2013new.csv, data row 3) .. {}"
LISTED = f"AT/{RAF_LIST}, data row {{}}) .. {{}}"
BOXED = "AT/training.csv, data row 8) .. {}"
RAF_8 = {RAF_LIST: "\n".join([*RAF_LINES, "train_8.jpg 5"])}
RAF_FROM_0 = {RAF_LIST: "\n".join(f"{line[:-1]}{int(line[-1]) - 1}" for line in RAF_LINES)}
RAF_MISPLACED = ("portrait", "train_1", "test_9_aligned", "test/train_1_aligned", "test/5/train_1_aligned")
AUTOMATIC = {"Automatic/1/a.jpg": b"", "automatically_annotated.csv": BOXES + box_row("1/a.jpg", 0)}
TIE, NEW = "data/FER2013Train/a.png", f"{MANUAL}/1/new.jpg"
CSV_ROWS = [
    *((["3", pixels, "Training"], "pixels that are not 2,304 numbers") for pixels in ("1 2 3", FULL + " 7")),
    *((["3", FULL.replace("7", pixel), "Training"], "from 0 to 255") for pixel in ("256", "-1", "7.0")),
    *(([code, FULL, "Training"], f"label '{code}' is not in 0 to 6") for code in ("7", "-1", "happy")),
    (["9" * 5000, FULL, "Training"], "label '9999"),
    (["3", FULL, "Test"], "Usage 'Test' is none of Training, PublicTest, PrivateTest"),
    (["3"], "Usage '' is none of"),
]
CK_UNNAMED = ("x.webp", f"{FRAMES}/S005/001/S005_001_11.png", "Emotion/S005/001/foo_emotion.txt")
NO_CODES = ("0", "8", "happy")
RAF_ROWS = [
    *((line, f"{RAF_LIST}/14", f"'{line}' is no name and") for line in ("train_8.jpg", "train_8.jpg 5 6")),
    *((f"train_8.jpg {label}", "train_8.jpg", "label from 1 to 7") for label in NO_CODES),
    ("face.jpg 5", "face.jpg", "'face.jpg 5' is no name and label"),
    ("train_1.jpg 5", next(iter(RAF_AUTHORS)), TWICE.format(RAF_LIST, 0)),
]
NINTHS = {"9": "category 9 (uncertain): no expression"}
NINTHS |= {code: f"9_exp.npy .. {code} is not in 0" for code in ("11", "-1", "2.5")}
LEFT_OUT = [  # what is added to a copy, or with a `-` taken away, and the reasons for which images are left out
    ("fer2013", {"test/happy/Training_77.jpg": b""}, "AT/{} lies in a folder of test, but its name says Training"),
    ("fer2013", {"test/happy/training_77.jpg": b""}, "AT/{} lies in a folder of test, but its name says training"),
    ("fer2013", {"test/happy/train_7.jpg": b""}, "AT/{} lies in a folder of test, but its name says train:"),
    ("fer2013", {"train/happy/test_1.jpg": b""}, IN_TRAIN + "test:"),
    ("fer2013", {"train/happy/Sad_3.jpg": b""}, "AT/{} lies in a folder of train, happy, but its name says Sad:"),
    ("fer2013", {"train/happy/PrivateTest_7.jpg": b""}, IN_TRAIN + "PrivateTest"),
    *(("fer2013", {name: b""}, SUFFIX) for name in ("train/sad/a.heic", "train/sad/a")),
    *(("fer2013", {name: b""}, PLACE) for name in ("train/sad/more/a.jpg", "train/a.jpg", "a.png", "extra/sad/a.jpg")),
    *(("fer2013", {name: b""}, {}) for name in ("README", "train/a.txt", "LICENSE.md", ".DS_Store", "__MACOSX/a.jpg")),
    *(("fer2013.csv", {"fer2013.csv": fer_csv(row)}, {"fer2013.csv/00021": ROW.format(why)}) for row, why in CSV_ROWS),
    *(
        ("ferplus", {"fer2013new.csv": f"{VOTES}{row}\n"} | unread, {image: VOTED.format(reason)})
        for row, unread, image, reason in (
            ("Training,a.png,5,0,0,0,5,0,0,0,0,0", {TIE: b""}, TIE, "no clear majority"),
            ("Training,,0,0,0,0,0,0,0,0,0,10", {}, "fer2013new.csv/3", "left out by the authors: no image name"),
            (f"Training,gone.png,{ALL_HAPPY}", {}, "FER2013Train/gone.png", "no file FER2013Train/gone.png"),
            (f"Training,fer0000000.png,{ALL_HAPPY}", {}, next(iter(FERPLUS)), TWICE.format("fer2013new.csv", 0)),
        )
    ),
    ("ckplus", sequence("S005_002", 6), {"S005/002": "no emotion file: this sequence is unlabelled"}),
    ("ckplus", sequence("S005_002", 6, 0), {"S005/002": "_00000006_emotion.txt names no expression but neutral"}),
    ("ckplus", sequence("S011_001", 2, 5), {"S011/001": "too short: 2 frames, and 3 are asked for"}),
    ("ckplus", {re.sub("S005(.)001", r"S009\g<1>001", PEAK): "5"}, {"S009/001": "no image, though Emo"}),
    ("ckplus", {"x.heic": b"", "ReadMe.pdf": b""}, SUFFIX),
    *(("ckplus", {name: b""}, UNNAMED) for name in CK_UNNAMED),
    ("ck48", {"CK+48/happy/foo.png": b""}, UNNAMED),
    ("ck48", {"S099_001_00000001.png": b""}, PLACE),
    ("ck48", {"CK+48/happy/S099_001_00000001.png": b""}, {"S099/001": "too short: 1 frames, and 3 are asked for"}),
    ("ck48", {"CK+48/neutral/S099_001_00000001.png": b""}, {"S099/001": "names no expression but neutral: this seq"}),
    *(("jaffe", {name: b""}, NO_PICTURE) for name in ("a.tiff", "KA.XX1.39.tiff", "KA.AN1.tiff", "KAX.AN1.39.tif")),
    ("jaffe", {"happy/KA.AN2.40.tiff": b""}, "AT/{} contradicts its folder: which expression is right can't"),
    *(("jaffe", {name: b""}, SUFFIX) for name in ("KA.AN2.40.gif", "KA.AN2.41")),
    *(("rafdb", {RAF_LIST: "\n".join([*RAF_LINES, row])}, {at: LISTED.format(14, why)}) for row, at, why in RAF_ROWS),
    ("rafdb", RAF_8, {"train_8.jpg": LISTED.format(14, "no file train_8.jpg")}),
    ("rafdb", {"train/7/train_8_aligned.jpg": b""} | RAF_8, LISTED.format(14, "the list says 5, its folder 7")),
    ("rafdb", {"happy/train_8_aligned.jpg": b""} | RAF_8, LISTED.format(14, "the list says 5, its folder happy")),
    *(("rafdb", {f"Image/aligned/{name}.jpg": b""}, PLACE) for name in RAF_MISPLACED),
    ("rafdb folders", {"DATASET/train/3/test_9_aligned.jpg": b""}, IN_TRAIN + "test: which is right"),
    ("rafdb folders", {"DATASET/train/3/a/train_9_aligned.jpg": b""}, PLACE),
    ("rafdb folders", {"DATASET/train/3/train_9_aligned.gif": b""}, SUFFIX),
    *(
        ("affectnet", box_files(row) | ({NEW: b""} if "new" in row else {}), {image: BOXED.format(reason)})
        for row, image, reason in (
            (box_row("", 3), "training.csv/8", "no name of an image"),
            *((box_row("1/new.jpg", of), NEW, f"label '{of}' is not in 0 to 10") for of in (11, "happy", "\u0663")),
            (box_row("1/new.jpg", "9" * 4301), NEW, "label '9999"),
            ("1/new.jpg,1,2\n", NEW, "label '' is not in 0 to 10"),
            *(
                (box_row("1/new.jpg", 3, box=box), NEW, f"box ({box.replace(',', ', ')}) is not x, y and a width")
                for box in ("a,1,2,3", "1,1,0,3", "1,1,5,-3", "nan,1,5,3", "1,1,inf,3")
            ),
            (box_row("1/gone.jpg", 3), "1/gone.jpg", "no file 1/gone.jpg"),
            (box_row("1/t0.jpg", 3), f"{MANUAL}/1/t0.jpg", TWICE.format("training.csv", 0)),
            (box_row("2/v0.jpg", 3), f"{MANUAL}/2/v0.jpg", TWICE.format("validation.csv", 0)),
        )
    ),
    ("affectnet", box_files(box_row("1/new.jpg", 9)) | {NEW: b""}, {NEW: "category 9 (uncertain): no expression"}),
    ("affectnet", AUTOMATIC, {"Automatic/1/a.jpg": PLACE}),
    ("affectnet", {"-validation.csv": 0}, {f"{MANUAL}/2/v{code}.jpg": PLACE for code in range(8)}),
    *(("affectnet npy", {NINTH: b"", NINTH_CODE: npy(np.array(code))}, why) for code, why in NINTHS.items()),
    ("affectnet npy", {NINTH: b""}, f"AT/{NINTH_CODE} is missing, or"),
    ("affectnet npy", {"val_set/annotations/9_exp.npy": npy(np.array(3))}, "AT/{} has no image of that number"),
    ("affectnet npy", {"train_set/annotations/5.png": b""}, PLACE),
]


@pytest.mark.parametrize(("key", "change", "expected"), LEFT_OUT)
def test_what_is_no_image_of_the_layout_is_listed_with_its_reason(lay_out, key, change, expected):
    load, rows, _ = COPIES[key]
    location = lay_out(files_of(key, change))
    dataset = load(location)
    if isinstance(expected, str):
        expected = {next(iter(change)): expected}
    reasons = dict(dataset.skipped.itertuples(index=False))
    assert reasons.keys() == expected.keys()
    wanted = {image: reason.replace("{}", image) for image, reason in expected.items()}
    assert [reason for image, reason in reasons.items() if not says(reason, wanted[image], location)] == []
    again = "second time" in "".join(reasons.values())
    assert told(dataset.table) == {image: row for image, row in rows.items() if again or image not in reasons}


TITLES = {"fer2013": "FER-2013", "ferplus": "FER+", "ckplus": "CK+", "ck48": "CK+", "jaffe": "JAFFE"}
TITLES |= {"rafdb folders": "RAF-DB", "affectnet": "AffectNet"}
GONE = {key: f"no {title} under AT .. expected .. see data/README.md" for key, title in TITLES.items()}
TWO, LACKS = "AT holds more than one copy, and they differ .. {}", "AT holds no image of {} .. incomplete or numb"
STRANGE = "unknown expression '{}' in AT/{}: rename or remove it"
VOTING = "AT/fer2013new.csv, data row 3 is not one of Training, PublicTest, PrivateTest and ten whole numbers: download"
NO_VOTES = [f"Test,a.png,{ALL_HAPPY}", "Training,a.png,0,10,0"]
NO_VOTES += [f"Training,a.png,0,{vote},0,0,0,0,0,0,0,0" for vote in ("ten", "-10", "9" * 4301, "1.5")]
NO_CSV = [
    (fer_csv(rows=16), "no image of neutral, happy, sad, surprise, fear in the split 'test'"),
    (fer_csv(rows=14), "no image of any class in the split 'test'"),
    (fer_csv(shift=1), LACKS.format("anger in the split 'train' .. label '7' is not in 0 to")),
    ("emotion,pixels\n0,1 2\n", "AT/fer2013.csv has the columns emotion, pixels: expected"),
    ("", "AT/fer2013.csv has the columns none: expected emotion, Usage, pixels"),
    (fer_csv().encode() + b"\xff\xfe\0", "AT/fer2013.csv is damaged or no text .. download it"),
]
FAULTS = [
    *((key, {"-": 0, "README": "", "happy/1.jpg": b""}, message) for key, message in GONE.items()),
    ("fer2013", {"-test/": 0}, "no FER-2013 under AT but folders of train: expected"),
    ("fer2013", {"-": 0, "fer2013.tar.gz": b""}, "no FER-2013 under AT .. fer2013.tar.gz in it is not read: unpack it"),
    ("fer2013", {"-": 0, "a.parquet": b""}, "no FER-2013 .. a.parquet in it is not read .. get a copy with image"),
    ("fer2013", {"fer2013.csv": fer_csv()}, TWO.format("(fer2013.csv, t")),
    ("fer2013", {"copy/test/sad/new.jpg": b""}, TWO.format("copy/test/sad/new.jpg")),
    ("fer2013", {"Train/sad/new.jpg": b""}, TWO.format("rain/sad/new.jpg")),
    ("fer2013", {"train/bored/1.jpg": b""}, STRANGE.format("bored", "train")),
    ("fer2013", {"train/contempt/1.jpg": b""}, "unknown expression 'contempt' in AT/train"),
    ("fer2013", {"-train/happy": 0}, "AT holds no image of happy in the split 'train' (no image): the copy is incom"),
    ("fer2013", {"-disgust/PublicTest": 0}, "holds no image of disgust in the split 'val'"),
    ("fer2013", {"-disgust/Private": 0, "a.gif": b""}, "disgust in the split 'test' (1 left out, the first is a.gif:"),
    ("fer2013", {"val/sad/im1.jpg": b""}, "no image of .. in the split 'val' (7 left out .. its name says PublicTest"),
    ("fer2013.csv", {"icml_face_data.csv": ""}, TWO.format("(fer2013.csv, icml_face_data.csv)")),
    *(("fer2013.csv", {"fer2013.csv": content}, message) for content, message in NO_CSV),
    ("ferplus", {"-fer0028638": 0}, "AT holds no image of any class in the split 'val' (1 left out, the first is FER2"),
    ("ferplus", {"copy/fer2013new.csv": "Usage"}, TWO.format("(fer2013new.csv, copy/fer2013new.csv)")),
    *(("ferplus", {"fer2013new.csv": f"{VOTES}{row}\n"}, VOTING) for row in NO_VOTES),
    *(
        ("ckplus", {PEAK: text}, f"AT/{PEAK} holds {text.strip()[:50]!r}"[:-1] + " .. expected one number from 0 to 7")
        for text in ("", "   \n", "happy", "8.0000000e+00", "-1", "2.5", "nan", "3 4", "1" * 4301)
    ),
    ("ckplus", {PEAK: b"\xff\xfe\0"}, f"AT/{PEAK} holds "),
    ("ckplus", {PEAK.replace("05_e", "04_e"): " 1.0"}, "5_emotion.txt says disgust of S005_001, .. 4_emotion.txt says"),
    ("ckplus", {f"{FRAMES}/S006/002/S006_001_00000001.png": b""}, "lies in S006/002, but its name says S006/001"),
    ("ckplus", {"Emotion/S005/002/S006_001_00000001_emotion.txt": "1"}, "lies in S005/002, but its name says S006/001"),
    ("ckplus", {"-Emotion": 0}, "no image under AT can be used (2 left out, the first is S005/001: no emotion file"),
    ("ckplus", {"-.png": 0}, "no image under AT can be used (2 left out .. : no image, though Emotion/ .. expected"),
    ("ckplus", dict.fromkeys(CK48, b""), "/S010_004_00000017.png lies in CK+48/anger, but its name says S010/0"),
    ("ck48", {"-": 0, "S010_004_00000017.png": b""}, GONE["ck48"]),
    ("ck48", {"CK+48/bored/S099_001_00000001.png": b""}, STRANGE.format("bored", "CK+48")),
    ("ck48", {"CK+48/happy/S010_004_00000017.png": b""}, "0017.png says happy of S010_004, CK+48/anger/S010_"),
    ("ck48", {"CK+48/happy/S010_004_00000020.png": b""}, "0020.png says happy of S010_004, CK+48/anger/S010_"),
    ("rafdb", {"-aligned": 0, "basic/aligned.zip": b""}, "no RAF-DB under .. no aligned images .. aligned.zip"),
    ("rafdb", {"-test_2": 0}, LACKS.format("fear in the split 'test' (1 left")),
    ("rafdb", {RAF_LIST: "<html>log in</html>"}, "can be used (15 left out .. '<html>log"),
    ("rafdb", {RAF_LIST: b"\xff\xfe\0"}, "no image under AT can be used (15 left out .. is no name and label"),
    ("rafdb", RAF_FROM_0, LACKS.format("neutral .. _1.jpg 0' is no name and label from 1 to 7")),
    ("rafdb folders", {"-test/2/": 0}, LACKS.format("fear in the split 'test'")),
    *(("rafdb folders", {f"DATASET/train/{n}/a.jpg": b""}, STRANGE.format(n, "DATASET/train")) for n in NO_CODES),
    ("affectnet", {"-": 0} | AUTOMATIC, GONE["affectnet"]),
    ("affectnet", {"-.jpg": 0}, "no AffectNet under AT: its CSV files are there, and no image below a folder"),
    ("affectnet", {"training.csv": BOXES.replace(",valence", "")}, "AT/training.csv has the columns .. valence"),
    ("affectnet", {"training.csv": "<html>"}, "AT/training.csv has the columns <html>: expected"),
    ("affectnet", box_files(shift=1), LACKS.format("neutral .. category 8 (none)")),
    ("affectnet npy", {"-0_exp": 0}, LACKS.format("neutral in the split .. _exp.npy is missing, or")),
]


@pytest.mark.parametrize(("key", "change", "message"), FAULTS)
def test_copy_that_can_not_be_right_is_refused_with_its_reason(lay_out, key, change, message):
    location = lay_out(files_of(key, change))
    with pytest.raises(FileNotFoundError if re.match("no [A-Z]", message) else LayoutError) as caught:
        COPIES[key][0](location)
    assert says(str(caught.value), message, location), str(caught.value)


FIELD = "on which the field tests, is the split test here"
CUT = "1 sequences do not end at the frame that their emotion file names, the first is S005_001"
LATE = "1 sequences do not begin with frame 1, the first is S005_001: what is taken as neutral may not be"
SEQUENCES = "sequences 2 (593 published), subjects 2 (123 .. labelled happy 0 (69 .. labelled disgust 1 (59"
NOTES = [
    ("fer2013", {}, ()),
    ("hidden halves", {}, ("do not tell PublicTest from PrivateTest (7 images)",)),
    ("rafdb", {}, ("does not have the published numbers: train 7 (12,271 published), test 7 (3,068 published).",)),
    ("jaffe", {}, ("images 7 (213 published), subjects 4 (10 published), neutral 1 (30 published)",)),
    ("affectnet", {}, (FIELD, "train 8 (287,651 published), test 8 (4,000")),
    ("affectnet", {"-validation.csv": 0}, (FIELD, "train 8 (287,651 published), test 0 (4,000 published)")),
    ("affectnet npy", {}, (FIELD, "published")),
    ("affectnet folders", {}, ("a selection made by others: whether its Test folder is the offic", "published")),
    ("ckplus", {f"-{FRAMES}/S005/001/S005_001_00000005": 0}, (CUT, SEQUENCES)),
    ("ckplus, the first", {f"-{FRAMES}/S005/001/S005_001_00000001": 0}, (LATE, "published")),
]


@pytest.mark.parametrize(("key", "change", "notes"), NOTES)
def test_what_a_reader_of_results_must_know_of_a_copy_stands_in_its_notes(lay_out, key, change, notes):
    location = lay_out(files_of(key, change))
    found = (COPIES | VARIANTS)[key][0](location).notes
    assert len(found) == len(notes) and all(map(says, found, notes, [location] * len(notes))), found


def test_ckplus_with_all_published_numbers_has_no_note_and_kaggles_copy_no_neutral_frames(tmp_path, write_files):
    codes, files = np.repeat(range(1, 8), (45, 18, 59, 25, 69, 28, 83)).tolist(), {}
    for place, code in enumerate([*codes, *[None] * (593 - 327)]):
        files |= sequence(f"S{place % 123 + 1:03d}_{place // 123 + 1:03d}", 1, code)
    dataset = ckplus.load(write_files(tmp_path / "whole.zip", files), last_frames=1)
    assert (dataset.notes, len(dataset.table), len(dataset.skipped)) == ((), 327, 266)
    counts = dataset.table["expression"].value_counts()
    assert counts[["anger", "contempt", "disgust", "fear"]].tolist() == [45, 18, 59, 25]
    with pytest.raises(ValueError, match=r"last_frames is 0: take at least 1 frame of each sequence"):
        ckplus.load(dataset.location, last_frames=0)
    kaggle = ckplus.load(write_files(tmp_path / "ck48.zip", files_of("ck48")), first_as_neutral=True)
    assert kaggle.notes[0].startswith("This copy has no first frames") and told(kaggle.table) == CK48


@pytest.mark.parametrize("name", ["fer2013.csv", "other.CSV", "data.zip/fer2013.csv", "data.ZIP", "challenge"])
def test_csv_is_read_on_disk_and_in_archives_of_any_suffix_and_bad_rows_shift_no_pixels(tmp_path, write_files, name):
    container, text = name.partition("/")[0], fer_csv(["3", "1 2 3", "Training"], rows=0) + fer_csv().partition("\n")[2]
    if container.lower().endswith(".csv"):
        (tmp_path / container).write_text(text)
    else:
        write_files(tmp_path / "first.zip", {"fer2013.csv": text}).rename(tmp_path / container)
    read = read_images(fer2013.load(tmp_path / name).table.sample(frac=1, random_state=0), side=48, channels=3)
    assert len(read.table) == 21
    for pixels, image in zip(read.pixels, read.table["image"], strict=True):
        np.testing.assert_array_equal(pixels[:, :, 2], pixels_of_row(int(image.rpartition("/")[2]) - 1))


def test_votes_boxes_and_affect_are_those_of_the_row(lay_out, tmp_path, write_files):
    votes = ferplus.load(write_files(tmp_path / "votes", files_of("ferplus"))).table
    answers = ["neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt", "unknown", "not_a_face"]
    assert [column for column in votes if "votes" in column] == [f"votes_{name}" for name in answers]
    assert votes.filter(like="votes_").iloc[0].tolist() == [0, 0, 0, 0, 2, 1, 0, 7, 0, 0]
    more = box_row("1/x.jpg", 3, "-2,0,101.5,99", "-1,1"), box_row("1/y.jpg", 3, affect="-2,-2")
    new = {f"{MANUAL}/1/{name}.jpg": b"" for name in "xyz"}
    files = files_of("affectnet", box_files(*more, box_row("1/z.jpg", 3, affect=",0.25")) | new)
    table = affectnet.load(lay_out(files)).table.set_index("image")
    x, y, z = (table.loc[name, ["box", "valence", "arousal"]].tolist() for name in new)
    assert (x, y[0]) == ([(-2, 0, 101.5, 99), -1, 1], (10, 20, 30, 40))
    assert math.isnan(y[1]) and math.isnan(y[2]) and math.isnan(z[1]) and z[2] == 0.25
    files = files_of("affectnet npy", {"-train_set/annotations/6_val": 0}, top="npy/")
    table = affectnet.load(lay_out(files) / "npy").table
    assert table["valence"].isna().sum() == 1 and set(table["valence"].dropna()) == {0.5}
    assert set(table["arousal"]) == {-0.25}


class Bomb:
    """Pickled, it would raise an error of its own when it is opened."""

    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was opened')",)


BAD_NUMBERS = {
    "empty": b"",
    "text": b"no array",
    "word": npy(np.array("happy")),
    "two numbers": npy(np.zeros(2)),
    "nan": npy(np.array(math.nan)),
    "complex": npy(np.array(1j)),
    "object array": npy(np.array(Bomb(), object), True),
    "pickle": pickle.dumps(Bomb()),
    "zip": b"PK\x03\x04",
    "huge shape": npy(np.zeros(1)).replace(b"(1,), }", b"(9999999999999,), }"),
    "brackets": npy(np.zeros(1)).replace(b"(1,)", b"(((("),
    "header of another type": npy(np.zeros(1)).replace(b"'<f8'", b"{1:2}"),
    "damaged length": npy(np.zeros(1))[:8] + b"\xff\xff" + npy(np.zeros(1))[10:],
}


@pytest.mark.parametrize("name", ["exp", "val"])
@pytest.mark.parametrize("content", BAD_NUMBERS.values(), ids=BAD_NUMBERS)
def test_annotation_that_is_no_number_is_a_skip_that_names_the_file_and_no_pickle_is_opened(lay_out, name, content):
    file = NINTH_CODE.replace("exp", name)
    change = {NINTH: b"", NINTH_CODE: npy(np.array(3)), file: content}
    ((skipped, reason),) = affectnet.load(lay_out(files_of("affectnet npy", change))).skipped.itertuples(index=False)
    assert skipped == NINTH and f"{file} does not hold one number (" in reason


# Ten votes each, in the order of FER+'s header, and the expression worked out by hand.
MAJORITIES = {
    "unanimous": ("0,10,0,0,0,0,0,0,0,0", "happy"),
    "more than half": ("0,0,0,6,4,0,0,0,0,0", "sad"),
    "exactly half": ("5,0,0,0,5,0,0,0,0,0", None),
    "most, but not half": ("4,0,0,3,3,0,0,0,0,0", None),
    "single votes dropped, then more than half": ("1,1,1,4,0,0,3,0,0,0", "sad"),  # 4 of 7
    "single votes dropped, then half": ("1,1,0,4,0,0,4,0,0,0", None),
    "only single votes": ("1,1,1,1,1,1,1,1,1,1", None),
    "no votes": ("0,0,0,0,0,0,0,0,0,0", None),
    "mostly unknown": ("0,0,2,0,0,0,0,0,8,0", None),
    "mostly not a face": ("0,0,0,0,0,0,0,0,0,10", None),
    "unknown counts among the votes": ("5,0,0,0,0,0,0,0,5,0", None),
    "a single unknown does not": ("5,0,0,0,4,0,0,0,1,0", "neutral"),  # 5 of 9
    "surprise": ("0,0,9,0,0,0,1,0,0,0", "surprise"),
    "anger": ("0,0,0,0,7,3,0,0,0,0", "anger"),
    "disgust": ("0,0,0,0,2,8,0,0,0,0", "disgust"),
    "fear": ("0,0,3,0,0,0,7,0,0,0", "fear"),
    "contempt": ("3,0,0,0,0,0,0,7,0,0", "contempt"),
}


@pytest.mark.parametrize(("votes", "expression"), MAJORITIES.values(), ids=MAJORITIES)
def test_majority_is_that_of_the_authors_rule(votes, expression):
    assert ferplus.majority(np.array(votes.split(","), dtype=int)) == expression


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}], ids=["as published", "compressed"])
def test_grey_tiff_files_of_jaffe_are_read_as_they_are(lay_out, encode, options):
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256), dtype="uint8")
    table = jaffe.load(lay_out({"KA.AN1.39.tiff": encode(pixels, ".tiff", **options)})).table
    np.testing.assert_array_equal(read_images(table, side=256).pixels[0, :, :, 0], pixels)
