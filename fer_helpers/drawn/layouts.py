"""Drawn data sets, laid out and flawed as the real ones: generators of (path, content). Nobody is in two splits."""

from collections.abc import Iterator
from types import SimpleNamespace

import cv2
import numpy as np

from fer_helpers.datasets.table import EXPRESSIONS
from fer_helpers.drawn.drawing import draw_face, draw_identity

Files = Iterator[tuple[str, bytes]]
SHARES = np.array([0.19, 0.22, 0.15, 0.13, 0.12, 0.08, 0.11, 0.08])  # of the expressions, in proportion
# Valence and arousal at full intensity, after where people place these words on the circumplex (Russell 1980).
AFFECT = ((0.0, 0.0), (0.8, 0.3), (-0.8, -0.4), (0.2, 0.8), (-0.4, 0.85), (-0.8, 0.4), (-0.6, 0.8), (-0.7, 0.5))
IMAGES_A_PERSON = 6
LEAST_INTENSITY = 0.6


def fer2013() -> Files:
    """Kaggle's `train/<class>/Training_<id>.jpg` and `test/<class>/{PublicTest,PrivateTest}_<id>.jpg`.

    There are copies of training images (6 in train, 2 there under another label, 4 in val, 5 in test, 3 there a little
    brighter), 2 training images of one grey, and one that can't be read.
    """
    folders = {"train": "train/{}/Training", "val": "test/{}/PublicTest", "test": "test/{}/PrivateTest"}
    photographs = _photographs({"train": 800, "val": 160, "test": 160}, 7, seed=0, size=48, channels=1)
    files = [(one.split, one.expression, one.pixels) for one in photographs]
    splits = ["train"] * 6 + ["val"] * 4 + ["test"] * 5
    files += [(split, *rest) for split, (_, *rest) in zip(splits, files[:15], strict=True)]
    files += [("train", "sad" if name != "sad" else "neutral", pixels) for _, name, pixels in files[15:17]]
    files += [("test", name, cv2.add(pixels, 12)[..., None]) for _, name, pixels in files[17:20]]
    files += [("train", "neutral", np.full((48, 48, 1), grey, "uint8")) for grey in (10, 30)]
    for number, (split, expression, pixels) in enumerate([*files, files[0]]):
        path = folders[split].format("angry" if expression == "anger" else expression)
        content = _image(pixels, ".jpg")
        yield f"{path}_{number:08d}.jpg", content if number < len(files) else content[:200]


def ferplus() -> Files:
    """`fer2013new.csv`, `data/FER2013{Train,Valid,Test}/fer0000000.png`; taggers agree less on a weak expression.

    One row in 100 is voted no face by all, and half of these has no image: the authors left such images out.
    """
    usages = {"train": ("Training", "Train"), "val": ("PublicTest", "Valid"), "test": ("PrivateTest", "Test")}
    columns = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
    rows = [("Usage", "Image name", *columns)]
    photographs = _photographs({"train": 800, "val": 160, "test": 160}, 8, seed=1, size=48, channels=1)
    for number, one in enumerate(photographs):
        sure = 0.95 if one.expression == "neutral" else 0.35 + 0.6 * one.intensity
        chances = np.array([0.01 + max(0.0, 0.9 - sure), *[0.01] * 8, 0.0])
        chances[columns.index({"happy": "happiness", "sad": "sadness"}.get(one.expression, one.expression))] += sure
        votes = one.random.multinomial(10, chances / chances.sum())
        usage, folder = usages[one.split]
        name = f"fer{number:07d}.png" if number % 200 != 50 else ""
        rows.append((usage, name, *(votes if number % 100 != 50 else [0] * 9 + [10])))
        if name:
            yield f"data/FER2013{folder}/{name}", _image(one.pixels, ".png")
    yield "fer2013new.csv", _csv(rows)


def ckplus() -> Files:
    """The authors' `cohn-kanade-images/S001/001/S001_001_00000001.png` and `Emotion/S001/001/*_emotion.txt`.

    In a sequence, from neutral to the peak, only the intensity grows: person, pose, light and background stay. Each
    person has four labelled sequences; every other one has a fifth, weak and unlabelled, or labelled 0.
    """
    codes = {"anger": 1, "contempt": 2, "disgust": 3, "fear": 4, "happy": 5, "sad": 6, "surprise": 7}
    for number in range(21):
        person = draw_identity(np.random.default_rng([2, number]))
        for place in range(4 + number % 2):
            expression, labelled = list(codes)[(number * 4 + place) % 7], place < 4
            folder, stem = f"S{number + 1:03d}/{place + 1:03d}", f"S{number + 1:03d}_{place + 1:03d}"
            for frame, intensity in enumerate((0.02, 0.5, 0.8, 0.9, 1.0), start=1):
                random = np.random.default_rng([2, number, place])  # the same for each frame
                pixels, _ = draw_face(person, expression, intensity / (2 - labelled), 160, random, 1, "portrait")
                yield f"cohn-kanade-images/{folder}/{stem}_{frame:08d}.png", _image(pixels, ".png")
            if labelled or number % 8 == 7:
                text = f"   {codes[expression] * labelled:.7e}\n"
                yield f"Emotion/{folder}/{stem}_00000005_emotion.txt", text.encode()


def jaffe() -> Files:
    """`KA.AN1.1.tiff` and so on: 213 grey pictures of ten people, as many of each expression as published."""
    published = {"anger": 30, "disgust": 29, "fear": 32, "happy": 31, "neutral": 30, "sad": 31, "surprise": 30}
    number = 0
    for place, subject in enumerate(("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")):
        person = draw_identity(np.random.default_rng([3, place]))
        for expression, images in published.items():
            for take in range(1, images // 10 + (place < images % 10) + 1):
                number += 1
                random = np.random.default_rng([3, place, number])
                pixels, _ = draw_face(person, expression, random.uniform(0.6, 1), 256, random, 1, "portrait")
                yield f"{subject}.{expression[:2].upper()}{take}.{number}.tiff", _image(pixels, ".tiff")


def rafdb() -> Files:
    """The authors' `basic/`: `Image/original` with boxes, and `Image/aligned`, cut at them, of 100 pixels."""
    codes = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")
    labels = b""
    for one in _photographs({"train": 800, "test": 200}, 7, seed=4, size=160, framing="portrait"):
        name, (x, y, side, _) = f"{one.split}_{one.number + 1:05d}", one.box
        aligned = cv2.resize(one.pixels[round(y) : round(y + side), round(x) : round(x + side)], (100, 100))
        yield f"basic/Image/original/{name}.jpg", _image(one.pixels, ".jpg")
        yield f"basic/Image/aligned/{name}_aligned.jpg", _image(aligned, ".jpg")
        yield f"basic/Annotation/boundingbox/{name}_boundingbox.txt", f"{x} {y} {x + side} {y + side} \n".encode()
        labels += f"{name}.jpg {codes.index(one.expression) + 1}\n".encode()
    yield "basic/EmoLabel/list_patition_label.txt", labels


def affectnet() -> Files:
    """`training.csv`, `validation.csv` (headless, as in some copies) and `Manually_Annotated_Images/<number>/<id>.jpg`.

    Of 30 images one is of each further category: none and uncertain (of a face), and non-face. One image can't be read.
    """
    header = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
    rows = {"train": [header.split(",")], "test": []}
    photographs = _photographs({"train": 800, "test": 200}, 8, seed=5, size=160, framing="portrait")
    for number, one in enumerate(photographs):
        shown = EXPRESSIONS.index(one.expression)
        code = {3: 8, 9: 9, 15: 10}.get(number % 30, shown)
        affect = (one.intensity * np.array(AFFECT[shown]) + one.random.normal(0, 0.05, 2)).clip(-1, 1).round(4)
        if code == 10:
            one.pixels = cv2.resize(one.random.integers(40, 216, (4, 4, 3), "uint8"), (160, 160))
        path, content = f"{number % 40}/{number:08x}.jpg", _image(one.pixels, ".jpg")
        yield f"Manually_Annotated_Images/{path}", content if number != 200 else content[:200]
        rows[one.split].append((path, *one.box, "0.0;0.0", code, *(affect if code < 8 else (-2, -2))))
    yield "training.csv", _csv(rows["train"])
    yield "validation.csv", _csv(rows["test"])


def _photographs(images: dict[str, int], classes: int, seed: int, **options) -> Iterator[SimpleNamespace]:
    """Images of each split: split, number in it, expression, intensity, random, pixels, box; options of `draw_face`."""
    for place, (split, count) in enumerate(images.items()):
        random = np.random.default_rng([seed, place])
        people = [draw_identity(random) for _ in range(count // IMAGES_A_PERSON)]
        ends = np.round(np.cumsum(SHARES[:classes] / SHARES[:classes].sum()) * count).astype(int)
        shown = random.permutation(np.repeat(EXPRESSIONS[:classes], np.diff(ends, prepend=0))).tolist()
        for number, expression in enumerate(shown):
            random = np.random.default_rng([seed, place, number])
            one = SimpleNamespace(split=split, number=number, expression=expression, random=random)
            one.intensity, person = random.uniform(LEAST_INTENSITY, 1), people[number % len(people)]
            one.pixels, one.box = draw_face(person, expression, one.intensity, random=random, **options)
            yield one


def _image(pixels: np.ndarray, suffix: str) -> bytes:
    return cv2.imencode(suffix, pixels[..., ::-1])[1].tobytes()  # OpenCV writes BGR


def _csv(rows: list) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()


LAYOUTS = {layout.__name__: layout for layout in (fer2013, ferplus, ckplus, jaffe, rafdb, affectnet)}
