"""Faces are found, aligned, cropped and counted; nothing that is wrong with an image passes in silence."""

import math
import os
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fer_helpers import datasets, faces, images
from fer_helpers.datasets import fer2013
from fer_helpers.faces import CropSettings, FaceFinder, crop_faces, eye_tilt
from fer_helpers.images import box_cut, cut_square

PLAIN = CropSettings(size=8)
PLAIN_GREY = "_0000114[01]"  # images among the drawn ones
UNCUT = [
    ({}, r"none of 1 images could be read: .*/a\.png: can't be decoded"),
    ({"detector": "mtcnn"}, "detector is haar or dlib, not 'mtcnn'"),
    ({"size": 0}, "no image has 0 pixels and 1 channels"),
]
LEFT, RIGHT, NEAR = (0.3, 0.4, 0.2), (0.7, 0.4, 0.2), (0.45, 0.4, 0.2)
TILTS = [
    ([RIGHT, LEFT], 0),
    ([LEFT, (0.7, 0.55, 0.2)], 20.56),  # arctan 0.15 / 0.4, clockwise: the right eye is lower
    ([(0.3, 0.55, 0.2), RIGHT], -20.56),
    ([(0.6, 0.55, 0.15), (0.7, 0.25, 0.2), LEFT, RIGHT], 0),  # a nostril and a brow: smaller, less level
    ([], None),
    ([LEFT, NEAR], None),  # both in the left half
    ([NEAR, (0.55, 0.4, 0.2)], None),  # too near
    ([(0.1, 0.4, 0.2), (0.9, 0.4, 0.2)], None),  # too far
    ([LEFT, (0.7, 0.65, 0.2)], None),  # 32 degrees
    ([LEFT, (0.7, 0.4, 0.36)], None),  # 1.8 times as wide
]


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def noise(height: int = 48, width: int = 60, channels: int = 1) -> np.ndarray:
    """An image in which no two neighbours are alike, (height, width, channels)."""
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), dtype="uint8")


def table_of(folder, names, boxes: list | None = None) -> pd.DataFrame:
    table = pd.DataFrame({"image": list(names), "path": [f"{folder}/{name}" for name in names]})
    return table if boxes is None else table.assign(box=pd.Series(boxes, dtype="object"))


@pytest.fixture
def rectangles(monkeypatch) -> None:
    """A detector that finds painted rectangles instead of faces: independent of any cascade, exact to a pixel."""

    def boxes(view: np.ndarray) -> list[tuple[int, int, int, int]]:
        count, _, found, _ = cv2.connectedComponentsWithStats((view > 127).astype("uint8"))
        return [tuple(found[place, :4]) for place in range(1, count)]

    monkeypatch.setattr(faces, "_detector", lambda settings: boxes)


# Geometry, by hand: the centre of the first box is (30, 35), its longer side 40: x = 30 - 20, y = 35 - 20
@pytest.mark.parametrize(("box", "square"), [((10, 20, 40, 30), (10, 15, 40)), ((44, 22, 10, 10), (44, 22, 10))])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interpolation", images.INTERPOLATIONS)
def test_level_face_is_cut_pixel_by_pixel_as_a_square_beyond_the_image_its_edge(box, square, channels, interpolation):
    image, (x, y, side) = noise(80, 90, channels), square
    np.testing.assert_array_equal(cut_square(image, box, 0.0, interpolation), image[y : y + side, x : x + side])
    padded = np.pad(image, ((8, 18), (8, 8), (0, 0)), mode="edge")
    np.testing.assert_array_equal(cut_square(image, (-8, -8, 106, 106), 0.0, interpolation), padded)


@pytest.mark.parametrize("angle", [-20.0, 12.0])
@pytest.mark.parametrize("interpolation", images.INTERPOLATIONS)
def test_turning_back_by_the_angle_brings_both_eyes_to_the_same_height(angle, interpolation):
    image, centre, distance = np.zeros((200, 200, 1), "uint8"), 99.5, 60
    across, down = distance / 2 * math.cos(math.radians(angle)), distance / 2 * math.sin(math.radians(angle))
    for sign in (-1, 1):
        cv2.circle(image, (round(centre + sign * across), round(centre + sign * down)), 8, 255, -1)
    level = cut_square(image, (40, 40, 120, 120), angle, interpolation)[..., 0]
    _, _, _, centroids = cv2.connectedComponentsWithStats((level > 127).astype("uint8"))
    (left_x, left_y), (right_x, right_y) = sorted(centroids[1:].tolist())
    assert left_y == pytest.approx(right_y, abs=1)
    assert right_x - left_x == pytest.approx(distance, abs=1.5)
    assert (left_x + right_x) / 2 == pytest.approx(59.5, abs=0.75)  # the middle of the crop stays where it was


@pytest.mark.parametrize(("eyes", "tilt"), TILTS)
def test_eyes_are_one_in_each_half_alike_in_size_apart_and_nearly_level(eyes, tilt):
    assert eye_tilt(eyes) == tilt


@pytest.mark.parametrize("shape", [(48, 48), (96, 72), (300, 400), (1500, 2000)])
def test_box_is_in_pixels_of_the_image_however_it_was_enlarged_or_shrunk_for_the_search(rectangles, shape):
    image = np.zeros((*shape, 1), "uint8")
    x, y, side = shape[1] // 4, shape[0] // 3, shape[0] // 2
    image[y : y + side, x : x + side] = 255
    found = FaceFinder("haar").find(image[..., 0])
    assert cut_square(image, found["box"], 0.0, "nearest").mean() > 200
    assert found["box"] == pytest.approx((x, y, side, side), abs=max(1, shape[1] / 500))


def test_of_several_faces_the_largest_comes_first_and_is_taken(rectangles):
    image = np.zeros((200, 200, 1), "uint8")
    for x, side in ((10, 30), (60, 50), (130, 40)):
        image[100 : 100 + side, x : x + side] = 255
    finder = FaceFinder("haar")
    assert finder.boxes(image[..., 0]) == [(60, 100, 50, 50), (130, 100, 40, 40), (10, 100, 30, 30)]
    assert finder.find(image[..., 0])["box"] == (60, 100, 50, 50)


def test_crops_come_in_the_order_of_the_table_whatever_the_number_of_workers(encode, write_files, tmp_path, rectangles):
    names = [f"{value}.png" for value in 128 + np.random.default_rng(0).permutation(120)]
    files = {name: encode(np.pad(np.full((20, 20), int(name[:-4]), "uint8"), 10)) for name in names}
    table = table_of(write_files(tmp_path / "data.zip", files), names)
    table.index += 1000
    alone, together = (crop_faces(table, PLAIN, workers, cached=False) for workers in (1, 3))
    assert [f"{value}.png" for value in alone.pixels[:, 4, 4, 0]] == names
    assert names == alone.table["image"].tolist() == alone.report["image"].tolist()
    assert alone.table.index.tolist() == list(range(120))
    np.testing.assert_array_equal(alone.pixels, together.pixels)
    pd.testing.assert_frame_equal(alone.report, together.report)


def test_damaged_images_are_listed_and_those_without_a_face_kept_whole(encode, lay_out, rectangles):
    face = encode(np.pad(np.full((20, 20), 200, "uint8"), 10))
    files = {"a.png": face, "cut.png": face[:60], "empty.png": b"", "none.png": encode(np.full((48, 60), 20, "uint8"))}
    table = table_of(lay_out(files), [*files, "gone.png"])
    crops = crop_faces(table, PLAIN)
    assert crops.table["image"].tolist() == ["a.png", "none.png"]
    assert crops.pixels.shape == (2, 8, 8, 1) and crops.pixels[:, 4, 4, 0].tolist() == [200, 20]
    assert crops.report["outcome"].tolist() == ["cropped", "unreadable", "unreadable", "whole", "unreadable"]
    assert crops.report[["box", "angle"]].notna().sum().tolist() == [1, 0]
    assert crops.skipped["image"].tolist() == ["cut.png", "empty.png", "gone.png"]
    wrong = zip(table["path"].iloc[[1, 2, 4]], crops.skipped["reason"], strict=True)
    assert all(path in reason for path, reason in wrong)


def test_rows_of_a_csv_file_are_read_and_cropped_like_image_files(lay_out):
    drawn = np.random.default_rng(0).integers(0, 256, (21, 48, 48), dtype="uint8")
    kinds = [f"{emotion},{{}},{usage}" for usage in ("Training", "PublicTest", "PrivateTest") for emotion in range(7)]
    rows = [kind.format(" ".join(map(str, face.ravel()))) for kind, face in zip(kinds, drawn, strict=True)]
    table = fer2013.load(lay_out({"fer2013.csv": "\n".join(["emotion,pixels,Usage", *rows])})).table
    np.testing.assert_array_equal(images.ImageFiles(table, 48, channels=1)[:][..., 0], drawn)
    np.testing.assert_array_equal(crop_faces(table, CropSettings()).pixels[..., 0], drawn)  # noise shows no face


@pytest.mark.parametrize(("settings", "message"), UNCUT)
def test_what_cannot_be_cropped_at_all_is_an_error(lay_out, settings, message):
    with pytest.raises(ValueError, match=message):
        crop_faces(table_of(lay_out({"a.png": b"text"}), ["a.png"]), CropSettings(**settings))


@pytest.fixture
def two_images(encode, lay_out) -> pd.DataFrame:
    files = {"a.png": encode(noise()[..., 0]), "b.png": encode(noise(50)[..., 0])}
    return table_of(lay_out(files), files)


@pytest.fixture
def searched(monkeypatch) -> list:
    """Grows by one for each image that is searched for a face, not read from the cache."""
    seen, find = [], FaceFinder.find
    monkeypatch.setattr(FaceFinder, "find", lambda *arguments: seen.append(None) or find(*arguments))
    return seen


def test_faces_are_kept_for_the_same_detector_rows_and_files_whatever_the_labels_and_the_size(two_images, searched):
    def searches(table: pd.DataFrame, settings: CropSettings = PLAIN, workers: int = 1) -> tuple[int, faces.Crops]:
        searched.clear()
        crops = crop_faces(table, settings, workers)
        return len(searched), crops

    (twice, first), (never, second) = searches(two_images.assign(expression="happy")), searches(two_images, PLAIN, 2)
    assert (twice, never) == (2, 0) and "expression" not in second.table
    np.testing.assert_array_equal(first.pixels, second.pixels)
    pd.testing.assert_frame_equal(first.report, second.report)
    never, smaller = searches(two_images, CropSettings(size=9))
    assert never == 0 and smaller.pixels.shape == (2, 9, 9, 1)
    assert searches(two_images[:1])[0] == 1
    first = Path(two_images["path"].iloc[0])
    os.utime(first if first.exists() else first.parent, (1, 1))  # the image, or its archive
    assert [searches(two_images)[0], searches(two_images)[0]] == [2, 0]


@pytest.mark.parametrize("share", [0, 0.5, 0.99, "changed"])
def test_damaged_finds_are_not_trusted_but_made_again(two_images, searched, cache, share):
    first = crop_faces(two_images, CropSettings())
    (stored,) = (cache / "faces").rglob("output.pkl")
    content = bytearray(stored.read_bytes())
    if share == "changed":
        content[content.index(b"whole")] ^= 1
    stored.write_bytes(content if share == "changed" else content[: int(share * len(content))])
    for searches in (4, 4):  # once again, and then kept whole
        again = crop_faces(two_images, CropSettings())
        np.testing.assert_array_equal(first.pixels, again.pixels)
        pd.testing.assert_frame_equal(first.report, again.report)
        assert len(searched) == searches


def test_interrupted_call_keeps_nothing_and_ends_its_threads(encode, write_files, tmp_path, monkeypatch):
    files = dict.fromkeys([f"{place}.png" for place in range(500)], encode(noise()[..., 0]))
    table, seen = table_of(write_files(tmp_path / "data", files), files), []

    def find(finder: FaceFinder, grey: np.ndarray) -> dict:
        seen.append(None)
        if len(seen) == 20:
            raise KeyboardInterrupt
        time.sleep(0.01 if 20 < len(seen) < 500 else 0)  # a busy machine hands an exception over late
        return {"outcome": "whole" if len(seen) > 500 else "cropped", "box": (0, 0, 8, 8)}

    monkeypatch.setattr(FaceFinder, "find", find)
    with pytest.raises(KeyboardInterrupt):
        crop_faces(table, PLAIN, workers=2)
    assert len(seen) < 200 and not [thread for thread in threading.enumerate() if "Executor" in thread.name]
    seen.extend([None] * 500)
    assert (crop_faces(table, PLAIN).report["outcome"] == "whole").all()


def test_missing_dlib_is_an_error_that_says_how_to_install_it(two_images, monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(ImportError, match=r"detector='dlib' needs dlib: pip install -e \.\[dlib\], or choose haar"):
        crop_faces(pd.concat([two_images] * 64), CropSettings(detector="dlib"))


@pytest.fixture(scope="module")
def drawn_by_haar() -> faces.Crops:
    """Of some 70 drawn faces in the layout of FER-2013, two plain grey images among them."""
    table = datasets.load("fer2013", "generated").table
    grey = table["image"].str.contains(PLAIN_GREY)
    people = pd.concat([table[~grey][::17], table[grey]], ignore_index=True)
    return crop_faces(people, CropSettings(), workers=1, cached=False)


def test_haar_finds_and_aligns_drawn_faces_but_no_plain_grey_in_one_thread_as_in_two(drawn_by_haar):
    report = drawn_by_haar.report
    found, grey = report["outcome"] == "cropped", report["image"].str.contains(PLAIN_GREY)
    assert found.mean() > 0.85 and report.loc[found, "angle"].notna().mean() > 0.85
    assert grey.sum() >= 2 and not found[grey].any()
    together = crop_faces(drawn_by_haar.table, CropSettings(), workers=2)
    np.testing.assert_array_equal(together.pixels, drawn_by_haar.pixels)
    pd.testing.assert_frame_equal(together.report, drawn_by_haar.report)


@pytest.fixture(scope="module")
def photographs(real_data) -> pd.DataFrame:
    """120 rows of the real FER-2013."""
    return fer2013.load(real_data("fer2013")).table.sample(120, random_state=1)


@pytest.fixture(scope="module")
def photographs_by_haar(photographs) -> faces.Crops:
    return crop_faces(photographs, CropSettings(), workers=1, cached=False)


def test_haar_finds_three_in_four_real_faces_and_aligns_two_thirds_of_them(photographs, photographs_by_haar):
    report = photographs_by_haar.report
    assert photographs_by_haar.table["image"].tolist() == photographs["image"].tolist()
    assert 0.70 < report["box"].notna().mean() < 0.85
    assert 0.55 < report.loc[report["box"].notna(), "angle"].notna().mean() < 0.80
    assert np.mean([24 <= box[2] <= 72 for box in report["box"].dropna()]) > 0.95  # a face fills its photograph


def test_dlib_finds_seven_in_ten_real_faces_and_in_the_same_place_as_haar(photographs, photographs_by_haar):
    pytest.importorskip("dlib", reason="dlib is an extra: pip install -e .[dlib]")
    by_dlib = crop_faces(photographs, CropSettings(detector="dlib"), workers=1).report
    assert 0.65 < by_dlib["box"].notna().mean() < 0.85
    both = by_dlib["box"].notna() & photographs_by_haar.report["box"].notna()
    boxes = [np.array(report.loc[both, "box"].tolist()) for report in (by_dlib, photographs_by_haar.report)]
    centres = [box[:, :2] + box[:, 2:] / 2 for box in boxes]
    assert np.median(np.linalg.norm(centres[0] - centres[1], axis=1)) < 5  # pixels of 48


@pytest.mark.parametrize("people", ["drawn_by_haar", "photographs_by_haar"])
def test_face_turned_by_ten_degrees_is_turned_back_by_ten_degrees_more(people, request, encode, write_files, tmp_path):
    crops = request.getfixturevalue(people)
    upright = crops.report.dropna(subset="angle")[:40]
    pictures = images.read_images(crops.table[crops.table["image"].isin(upright["image"])], 48).pixels[..., 0]
    # Pillow turns anticlockwise: by -10 degrees the right eye comes to stand lower.
    turned = [Image.fromarray(pixels).rotate(-10, Image.Resampling.BICUBIC, fillcolor=127) for pixels in pictures]
    files = {f"{place:02}.png": encode(image) for place, image in enumerate(turned)}
    report = crop_faces(table_of(write_files(tmp_path / "turned", files), files), CropSettings(), workers=1).report
    differences = report["angle"].to_numpy() - upright["angle"].to_numpy()
    assert (~np.isnan(differences)).sum() > 15
    assert np.nanmedian(differences) == pytest.approx(10, abs=1.5)


# Inside an image of 40 x 60 lie all, a quarter, half, less than half, nothing; the last two have no area.
INSIDE = {(0, 0, 60, 40): True, (50, 30, 20, 20): False, (-10, 0, 20, 20): True, (-11, 0, 20, 20): False}
INSIDE |= {(60, 0, 5, 5): False, (-9, -9, 5, 5): False, (10, 10, 0, 5): False, (10, 10, -5, -5): False}


@pytest.mark.parametrize(("box", "inside"), INSIDE.items())
def test_box_is_cut_if_at_least_half_of_it_lies_inside_the_image(box, inside):
    if inside:
        np.testing.assert_array_equal(box_cut(noise(40, 60), box), cut_square(noise(40, 60), box, 0.0, "bicubic"))
    else:
        with pytest.raises(ValueError, match=r"less than half of the box \(.*\) .* inside the image of 60 x 40 pixels"):
            box_cut(noise(40, 60), box)


@pytest.mark.parametrize("channels", [1, 3])
def test_box_is_cut_from_the_pixels_as_stored_and_a_photograph_without_one_is_turned_upright(encode, lay_out, channels):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right: the stored left side is the upper one
    stored = np.repeat(np.linspace(255, 0, 60).astype("uint8")[None], 30, axis=0)
    table = table_of(lay_out({"a.png": encode(stored, exif=exif)}), ["a.png"] * 3, [(0, 0, 8, 8), (3.6, 1, 8, 8), None])
    boxed, moved, whole = images.ImageFiles(table, 8, channels, "bicubic", boxed=True)[:][..., 0].astype(int)
    assert whole[0].min() > whole[-1].max() + 150 and np.ptp(whole[0]) == 0
    np.testing.assert_array_equal(boxed, stored[:8, :8])
    np.testing.assert_array_equal(moved, stored[1:9, 4:12])
    with pytest.raises(ValueError, match="turned TIFF"):  # which OpenCV turns in any case
        images.decode(encode(stored, ".tiff", exif=exif), channels, oriented=False)


def test_boxes_outside_and_missing_ones_are_listed_beforehand_with_the_damaged_images(encode, lay_out):
    files = dict.fromkeys(("a.png", "b.png", "c.png"), encode(noise()[..., 0])) | {"d.png": b""}
    location = lay_out(files)
    table = table_of(location, files, [(5, 5, 20, 20), (500, 5, 20, 20), None, (5, 5, 20, 20)])
    listed = images.read_images(table, 1, read=images.reader(table, 1, boxed=True)).skipped
    assert listed["image"].tolist() == ["b.png", "d.png"]
    assert listed["reason"].iloc[0].startswith(f"{location}/b.png: less than half of the box (500, 5, 20, 20)")
    message = rf"{location}/b\.png: less than half of .*; images\.read_images lists all such"
    with pytest.raises(ValueError, match=message):
        images.ImageFiles(table, 8, 1, "bicubic", boxed=True)[:]
