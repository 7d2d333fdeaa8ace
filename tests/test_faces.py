"""Faces are found, aligned, cropped and counted; nothing that is wrong with an image passes in silence."""

import errno
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable

import cv2
import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from fer_helpers import datasets, faces, images, paths
from fer_helpers.datasets import fer2013
from fer_helpers.drawn import drawing
from fer_helpers.faces import (
    CropSettings,
    FaceCropper,
    crop_faces,
    cut_square,
    eye_line_angle,
    eye_pair,
    search_view,
    share_inside,
    square_around,
)

BY_BOX = CropSettings(size=8, detector="box", align=False)


def gradient(height: int = 48, width: int = 60, channels: int = 1) -> np.ndarray:
    """An image in which no two neighbours are alike, (height, width, channels)."""
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), dtype="uint8")


def table_of(folder, names: list[str], boxes: list | None = None) -> pd.DataFrame:
    table = pd.DataFrame({"image": names, "path": [f"{folder}/{name}" for name in names]})
    return table if boxes is None else table.assign(box=pd.Series(boxes, dtype="object"))


def bright_rectangles(settings: CropSettings):
    """A detector that finds painted rectangles instead of faces: independent of any cascade, exact to a pixel of the view."""

    def boxes(view: np.ndarray) -> list[tuple[int, int, int, int]]:
        count, _, found, _ = cv2.connectedComponentsWithStats((view > 127).astype("uint8"))
        return [tuple(int(value) for value in found[place, :4]) for place in range(1, count)]

    return boxes


# Geometry, by hand


def test_square_takes_the_longer_side_and_the_margin_on_each_side_of_it():
    # 40 x 30 at (10, 20): centre (30, 35); 40 and a quarter of it twice makes 60, from 30 - 30 and 35 - 30.
    assert square_around((10, 20, 40, 30), 0.25) == (0, 5, 60)
    assert square_around((10, 20, 40, 30), 0.0) == (10, 15, 40)
    assert square_around((-4, 2, 10, 10), 0.1) == (-5, 1, 12)


def test_share_of_a_box_inside_its_image():
    image = gradient(40, 60)
    assert share_inside((0, 0, 60, 40), image) == 1
    assert share_inside((50, 30, 20, 20), image) == 0.25
    assert share_inside((-10, 0, 20, 20), image) == 0.5
    assert share_inside((60, 0, 5, 5), image) == 0
    assert share_inside((10, 10, 0, 5), image) == 0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interpolation", images.INTERPOLATIONS)
def test_level_face_is_cut_out_pixel_by_pixel(channels, interpolation):
    image = gradient(channels=channels)
    np.testing.assert_array_equal(cut_square(image, (7, 11, 30), interpolation=interpolation), image[11:41, 7:37])


@pytest.mark.parametrize(("outside", "numpy_mode"), [("replicate", "edge"), ("reflect", "reflect")])
def test_what_lies_outside_the_image_is_filled_as_numpy_pads_it(outside, numpy_mode):
    image = gradient(20, 20)
    padded = np.pad(image, ((8, 8), (8, 8), (0, 0)), mode=numpy_mode)
    np.testing.assert_array_equal(cut_square(image, (-8, -8, 36), outside=outside), padded)


def test_angle_of_the_eye_line_is_positive_where_the_right_eye_is_lower():
    assert eye_line_angle((0.3, 0.4, 0.2), (0.7, 0.4, 0.2)) == 0
    assert eye_line_angle((0.3, 0.3, 0.2), (0.7, 0.6, 0.2)) == pytest.approx(36.8699, abs=1e-4)  # the triangle 3, 4, 5
    assert eye_line_angle((0.3, 0.6, 0.2), (0.7, 0.3, 0.2)) == pytest.approx(-36.8699, abs=1e-4)


@pytest.mark.parametrize("angle", [-20.0, 12.0])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "area", "lanczos"])
def test_turning_back_by_the_angle_brings_both_eyes_to_the_same_height(angle, interpolation):
    image, centre, distance = np.zeros((200, 200, 1), "uint8"), 99.5, 60
    across, down = distance / 2 * math.cos(math.radians(angle)), distance / 2 * math.sin(math.radians(angle))
    for sign in (-1, 1):
        cv2.circle(image, (round(centre + sign * across), round(centre + sign * down)), 8, 255, -1)
    level = cut_square(image, (40, 40, 120), angle, interpolation=interpolation)[..., 0]
    _, _, _, centroids = cv2.connectedComponentsWithStats((level > 127).astype("uint8"))
    (left_x, left_y), (right_x, right_y) = sorted(centroids[1:].tolist())
    assert left_y == pytest.approx(right_y, abs=1)
    assert right_x - left_x == pytest.approx(distance, abs=1.5)
    assert (left_x + right_x) / 2 == pytest.approx(59.5, abs=0.75)  # the middle of the crop stays where it was


def test_eyes_are_one_in_each_half_alike_in_size_apart_and_nearly_level():
    left, right = (0.3, 0.4, 0.2), (0.7, 0.42, 0.22)
    assert eye_pair([right, left]) == (left, right)
    assert eye_pair([left]) is None
    assert eye_pair([]) is None
    assert eye_pair([left, (0.45, 0.4, 0.2)]) is None  # both in the left half
    assert eye_pair([(0.45, 0.4, 0.2), (0.55, 0.4, 0.2)]) is None  # too near
    assert eye_pair([left, (0.7, 0.65, 0.2)]) is None  # 32 degrees
    assert eye_pair([left, (0.7, 0.4, 0.36)]) is None  # 1.8 times as wide


def test_of_several_pairs_of_eyes_the_larger_and_more_level_one_is_taken():
    left, right, nostril, brow = (0.3, 0.4, 0.2), (0.7, 0.4, 0.2), (0.6, 0.55, 0.15), (0.7, 0.25, 0.2)
    assert eye_pair([nostril, brow, left, right]) == (left, right)


def test_small_image_is_enlarged_and_framed_for_the_search():
    view, scale, border = search_view(gradient(48, 60)[..., 0], 128, 0.25)
    assert scale == pytest.approx(128 / 48)
    assert border == 32
    assert view.shape == (128 + 64, 160 + 64)


def test_large_image_is_searched_in_a_smaller_copy_and_a_middling_one_as_it_is():
    view, scale, border = search_view(np.zeros((1536, 2048), "uint8"), 128, 0.0)
    assert (view.shape, scale, border) == ((768, 1024), 0.5, 0)
    middling = gradient(200, 300)[..., 0]
    np.testing.assert_array_equal(search_view(middling, 128, 0.0)[0], middling)


def test_extreme_proportions_do_not_end_the_search():
    view, _, _ = search_view(np.zeros((1, 5000), "uint8"), 128, 0.25)
    assert view.shape == (1, 1024)


# One image


@pytest.mark.parametrize("shape", [(48, 48), (96, 72), (300, 400), (1500, 2000)])
def test_box_is_reported_in_pixels_of_the_image_however_it_was_searched(monkeypatch, shape):
    monkeypatch.setattr(faces, "_detector", bright_rectangles)
    image = np.zeros((*shape, 1), "uint8")
    x, y, side = shape[1] // 4, shape[0] // 3, shape[0] // 2
    image[y : y + side, x : x + side] = 255
    crop = FaceCropper(CropSettings(align=False)).crop(image)
    assert crop.faces == 1
    assert crop.box == pytest.approx((x, y, side, side), abs=max(1, shape[1] / 500))
    assert crop.pixels.min() > 200


def test_of_several_faces_the_largest_is_taken_and_all_are_counted(monkeypatch):
    monkeypatch.setattr(faces, "_detector", bright_rectangles)
    image = np.zeros((200, 200, 1), "uint8")
    for x, side in ((10, 30), (60, 50), (130, 40)):
        image[100 : 100 + side, x : x + side] = 255
    crop = FaceCropper(CropSettings(align=False)).crop(image)
    assert (crop.faces, crop.box) == (3, (60, 100, 50, 50))


def test_margin_shows_what_stands_around_the_face():
    image = np.zeros((100, 100, 1), "uint8")
    image[30:50, 40:60] = 255
    settings = CropSettings(size=40, detector="box", align=False, interpolation="nearest", margin=0.5)
    pixels = FaceCropper(settings).crop(image, (40, 30, 20, 20)).pixels
    assert (pixels == 255).mean() == 0.25  # the face takes half of the square's side
    assert (pixels[10:30, 10:30] == 255).all()


def test_named_interpolation_is_the_one_that_is_done():
    image = gradient(40, 40)
    block = image[8:24, 8:24, 0]
    shrunk = {
        name: FaceCropper(CropSettings(size=8, detector="box", align=False, interpolation=name))
        .crop(image, (8, 8, 16, 16))
        .pixels[..., 0]
        for name in ("nearest", "bilinear", "bicubic", "area", "lanczos")
    }
    means = block.reshape(8, 2, 8, 2).mean(axis=(1, 3))
    np.testing.assert_array_equal(shrunk["nearest"], block[::2, ::2])
    np.testing.assert_allclose(shrunk["area"], means, atol=0.51)
    np.testing.assert_allclose(shrunk["bilinear"], means, atol=0.51)
    # Half-way between two pixels the cubic kernel (Keys 1981) with a = -0.75 weighs its four neighbours like this.
    weights = np.array([-3, 19, 19, -3]) / 32
    inner = np.array(
        [
            [
                weights @ block[2 * row - 1 : 2 * row + 3, 2 * column - 1 : 2 * column + 3] @ weights
                for column in range(1, 7)
            ]
            for row in range(1, 7)
        ]
    )
    np.testing.assert_allclose(shrunk["bicubic"][1:-1, 1:-1], inner.clip(0, 255), atol=1.01)
    assert (
        len({pixels.tobytes() for pixels in shrunk.values()}) == 4
    )  # halving, bilinear is area; the others are themselves


def test_image_without_a_face_is_kept_whole_or_dropped_as_asked():
    plain = np.full((60, 80, 1), 90, "uint8")
    kept = FaceCropper(CropSettings(size=24)).crop(plain)
    assert (kept.outcome, kept.faces, kept.box, kept.angle) == ("whole", 0, None, None)
    np.testing.assert_array_equal(kept.pixels, np.full((24, 24, 1), 90))
    dropped = FaceCropper(CropSettings(size=24, no_face="drop")).crop(plain)
    assert (dropped.outcome, dropped.pixels) == ("dropped", None)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("detector", "mtcnn", "detector is one of haar, dlib, box, not 'mtcnn'"),
        ("interpolation", "cubic", "interpolation is one of nearest, bilinear, bicubic, area, lanczos, not 'cubic'"),
        ("no_face", "skip", "no_face is one of keep, drop, not 'skip'"),
        ("outside", "black", "outside is one of replicate, reflect, not 'black'"),
        ("channels", 4, "channels is one of 1, 3, not 4"),
        ("size", 0, "size is from 1 to inf, not 0"),
        ("margin", -0.1, "margin is from 0 to inf, not -0.1"),
        ("smallest_face", 25, "smallest_face is from 0 to 1, not 25"),
    ],
)
def test_unknown_setting_is_an_error_that_lists_the_known(setting, value, message):
    with pytest.raises(ValueError, match=message):
        CropSettings(**{setting: value})


# A whole table


def test_crops_come_in_the_order_of_the_table_whatever_the_number_of_workers(encode, write_files, tmp_path):
    values = np.random.default_rng(0).permutation(200).tolist()
    files = {f"{value}.png": encode(np.full((20, 30), value, "uint8")) for value in values}
    names = list(files)
    table = table_of(write_files(tmp_path / "data.zip", files), names, [(5, 5, 10, 10)] * 200).set_index(
        pd.Index(range(1000, 1200))
    )
    alone, together = (crop_faces(table, BY_BOX, workers=workers) for workers in (1, 2))
    assert (
        [f"{value}.png" for value in alone.pixels[:, 0, 0, 0]]
        == names
        == alone.table["image"].tolist()
        == alone.report["image"].tolist()
    )
    assert alone.table.index.tolist() == list(range(200))
    np.testing.assert_array_equal(alone.pixels, together.pixels)
    pd.testing.assert_frame_equal(alone.report, together.report)
    pd.testing.assert_frame_equal(alone.table, together.table)


def test_all_that_is_wrong_with_images_is_listed_with_their_names_and_counted(encode, lay_out):
    whole = encode(gradient()[..., 0])
    files = {"a.png": whole, "cut.png": whole[:200], "empty.png": b"", "text.png": b"text", "e.png": whole}
    location = lay_out(files)
    names = [*files, "gone.png", "apart.png", "flat.png", "unboxed.png"]
    table = table_of(location, names, [(5, 5, 20, 20)] * 6 + [(500, 5, 20, 20), (5, 5, 0, 20), None])
    table.loc[6:, "path"] = f"{location}/a.png"
    crops = crop_faces(table, BY_BOX)
    assert crops.table["image"].tolist() == ["a.png", "e.png", "unboxed.png"]
    assert crops.pixels.shape == (3, 8, 8, 1)
    assert crops.report["outcome"].tolist() == [
        "cropped",
        *["unreadable"] * 3,
        "cropped",
        "unreadable",
        "box outside",
        "box outside",
        "whole",
    ]
    assert crops.skipped["image"].tolist() == ["cut.png", "empty.png", "text.png", "gone.png", "apart.png", "flat.png"]
    assert all(
        path in reason
        for path, reason in zip(table["path"].iloc[[1, 2, 3, 5, 6, 7]], crops.skipped["reason"], strict=True)
    )
    assert (
        crops.skipped["reason"].iloc[4]
        == f"less than half of the box (500, 5, 20, 20) (x, y, width, height) lies inside {location}/a.png, which is 60 x 48 pixels"
    )
    assert crops.summary().iloc[0].to_dict() == {
        "detector": "box",
        "images": 9,
        "found": 2,
        "found_share": pytest.approx(2 / 9),
        "several_faces": 0,
        "aligned": 0,
        "aligned_share": 0,
        "whole": 1,
        "dropped": 0,
        "unreadable": 4,
        "box_outside": 2,
    }


def test_damaged_member_of_an_archive_is_one_skip(encode, write_files, tmp_path):
    archive = write_files(tmp_path / "data.zip", {name: encode(gradient(channels=3)) for name in ("a.png", "b.png")})
    content = bytearray(archive.read_bytes())
    content[200] ^= 255  # inside the first member
    archive.write_bytes(content)
    crops = crop_faces(table_of(archive, ["a.png", "b.png"]), CropSettings())
    assert crops.report["outcome"].tolist() == ["unreadable", "whole"]


def test_box_that_reaches_a_little_beyond_its_image_is_filled_up(encode, lay_out):
    image = np.repeat(np.arange(40, dtype="uint8")[:, None], 40, axis=1)  # each row is its own number
    table = table_of(lay_out({"a.png": encode(image)}), ["a.png"], [(0, -8, 40, 40)])
    crops = crop_faces(table, CropSettings(size=40, detector="box", align=False))
    assert crops.report["outcome"].tolist() == ["cropped"]
    assert crops.pixels[0, :, 0, 0].tolist() == [0] * 8 + list(range(32))


def test_images_without_a_face_are_kept_or_dropped_and_counted(encode, lay_out):
    files = {f"{value}.png": encode(np.full((48, 48), value, "uint8")) for value in (10, 20, 30)}
    table = table_of(lay_out(files), list(files))
    kept = crop_faces(table, CropSettings(size=12))
    assert kept.pixels[:, 5, 5, 0].tolist() == [10, 20, 30]
    assert kept.summary().loc[0, ["found", "whole", "dropped"]].tolist() == [0, 3, 0]
    dropped = crop_faces(table, CropSettings(size=12, no_face="drop"))
    assert dropped.pixels.shape == (0, 12, 12, 1)
    assert len(dropped.table) == len(dropped.skipped) == 0
    assert dropped.summary().loc[0, ["found", "whole", "dropped"]].tolist() == [0, 0, 3]


def test_crops_are_red_green_blue_and_grey_photographs_are_repeated(encode, lay_out):
    orange = np.full((20, 20, 3), (250, 120, 0), "uint8")
    files = {"colour.png": encode(orange), "grey.png": encode(orange[..., 1])}
    table = table_of(lay_out(files), list(files), [(5, 5, 10, 10)] * 2)
    pixels = crop_faces(table, CropSettings(size=8, detector="box", align=False, channels=3)).pixels
    assert pixels[:, 4, 4].tolist() == [[250, 120, 0], [120, 120, 120]]


def test_rows_of_a_csv_file_are_cropped_like_image_files(lay_out):
    drawn = np.random.default_rng(0).integers(0, 256, (21, 48, 48), dtype="uint8")
    kinds = [(usage, emotion) for usage in ("Training", "PublicTest", "PrivateTest") for emotion in range(7)]
    rows = [
        f"{emotion},{' '.join(map(str, face.ravel()))},{usage}"
        for (usage, emotion), face in zip(kinds, drawn, strict=True)
    ]
    table = fer2013.load(lay_out({"fer2013.csv": "\n".join(["emotion,pixels,Usage", *rows])})).table
    crops = crop_faces(table.assign(box=[(8, 8, 32, 32)] * 21), CropSettings(size=32, detector="box", align=False))
    np.testing.assert_array_equal(crops.pixels[..., 0], drawn[:, 8:40, 8:40])


def test_table_without_rows_or_boxes_or_readable_images_is_an_error_that_says_so(lay_out):
    location = lay_out({"a.png": b"text"})
    with pytest.raises(ValueError, match="there is no face to crop: the table is empty"):
        crop_faces(table_of(location, []), CropSettings())
    for boxes in (None, [pd.NA]):
        with pytest.raises(ValueError, match="detector='box' needs a data set that gives boxes"):
            crop_faces(table_of(location, ["a.png"], boxes), BY_BOX)
    with pytest.raises(ValueError, match=r"the box of a\.png is \(1, 2, 3\): it must be four numbers"):
        crop_faces(table_of(location, ["a.png"], [(1, 2, 3)]), BY_BOX)
    with pytest.raises(
        ValueError, match=rf"none of 1 images could be read, the first because {location}/a\.png can't be decoded"
    ):
        crop_faces(table_of(location, ["a.png"]), CropSettings())


def test_processes_that_crop_do_not_load_keras():
    loaded = "import sys, fer_helpers.faces; print({'keras', 'tensorflow', 'jax', 'matplotlib', 'sklearn', 'dlib'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout == "set()\n"
    )


@pytest.fixture
def cropping_script(drawn_people, tmp_path) -> Callable[[int], list]:
    """The command of a script, without a main guard, that crops the drawn faces some number of times over in two processes."""

    def command(times: int) -> list:
        drawn_people.to_pickle(tmp_path / "table.pickle")
        script = tmp_path / "script.py"
        script.write_text(
            f"import sys\nsys.path.insert(0, {str(paths.PROJECT)!r})\n"
            "import pandas\nfrom fer_helpers.faces import CropSettings, crop_faces\n"
            f"table = pandas.concat([pandas.read_pickle({str(tmp_path / 'table.pickle')!r})] * {times})\n"
            "print(len(crop_faces(table, CropSettings(align=False), workers=2).pixels))\n"
        )
        return [sys.executable, script]

    return command


def test_script_without_a_main_guard_can_share_the_work(cropping_script, drawn_people):
    ended = subprocess.run(cropping_script(1), capture_output=True, check=True)
    assert int(ended.stdout) == len(drawn_people)


def test_processes_end_when_the_one_that_started_them_is_killed(cropping_script):
    started = psutil.Popen(cropping_script(100), stderr=subprocess.PIPE)
    while not re.search(rb"[1-9]%", started.stderr.read1()):
        assert started.poll() is None  # the bar moves on once the processes have cropped something
    children = started.children(recursive=True)
    assert len(children) >= 2
    started.kill()
    started.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


# Crops kept on disk


@pytest.fixture
def two_images(encode, lay_out):
    files = {"a.png": encode(gradient()[..., 0]), "b.png": encode(gradient(50)[..., 0])}
    return table_of(lay_out(files), list(files), [(5, 5, 20, 20), (500, 5, 20, 20)])


@pytest.fixture
def cutting_is_forbidden(monkeypatch):
    def forbid():
        def fail(settings: CropSettings):
            raise AssertionError("faces were cut although they were kept")

        monkeypatch.setattr(faces, "FaceCropper", fail)

    return forbid


def test_second_call_reads_what_the_first_has_kept(two_images, tmp_path, cutting_is_forbidden):
    first = crop_faces(two_images, BY_BOX, cache_dir=tmp_path / "crops")
    cutting_is_forbidden()
    second = crop_faces(two_images, BY_BOX, cache_dir=tmp_path / "crops")
    np.testing.assert_array_equal(first.pixels, second.pixels)
    pd.testing.assert_frame_equal(first.table, second.table)
    pd.testing.assert_frame_equal(first.report, second.report)
    pd.testing.assert_frame_equal(first.skipped, second.skipped)


def test_other_labels_in_the_table_are_not_taken_from_what_was_kept(two_images, tmp_path, cutting_is_forbidden):
    crop_faces(two_images.assign(expression="happy"), BY_BOX, cache_dir=tmp_path)
    cutting_is_forbidden()
    assert crop_faces(two_images.assign(expression="sad"), BY_BOX, cache_dir=tmp_path).table["expression"].tolist() == [
        "sad"
    ]


def test_other_settings_rows_or_files_are_cut_anew(two_images, tmp_path, cutting_is_forbidden):
    crop_faces(two_images, BY_BOX, cache_dir=tmp_path)
    first_path = two_images["path"].iloc[0]
    file = first_path.partition(".zip")[0] + ".zip" if ".zip" in first_path else first_path
    cutting_is_forbidden()
    for table, settings in (
        (two_images, CropSettings(size=9, detector="box", align=False)),
        (two_images[:1], BY_BOX),
        (two_images.assign(box=[(6, 5, 20, 20)] * 2), BY_BOX),
    ):
        with pytest.raises(AssertionError, match="faces were cut"):
            crop_faces(table, settings, cache_dir=tmp_path)
    os.utime(file, (1, 1))
    with pytest.raises(AssertionError, match="faces were cut"):
        crop_faces(two_images, BY_BOX, cache_dir=tmp_path)


@pytest.mark.parametrize("kept_share", [0, 0.5, 0.99])
def test_half_a_file_of_crops_is_not_trusted_but_made_again(two_images, tmp_path, kept_share):
    first = crop_faces(two_images, BY_BOX, cache_dir=tmp_path / "crops")
    (stored,) = (tmp_path / "crops").iterdir()
    whole = stored.read_bytes()
    stored.write_bytes(whole[: int(kept_share * len(whole))])
    again = crop_faces(two_images, BY_BOX, cache_dir=tmp_path / "crops")
    np.testing.assert_array_equal(first.pixels, again.pixels)
    with np.load(stored) as archive:
        np.testing.assert_array_equal(archive["pixels"], first.pixels)


def test_full_disk_is_one_sentence_and_leaves_nothing_half_written(two_images, tmp_path, monkeypatch):
    def fill_the_disk(file, **arrays):
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", fill_the_disk)
    with pytest.raises(OSError, match=r"could not write .*crops-\w+\.npz: No space left on device; free some space"):
        crop_faces(two_images, BY_BOX, cache_dir=tmp_path / "crops")
    assert list((tmp_path / "crops").iterdir()) == []


# Real detectors


def test_missing_dlib_is_an_error_that_says_how_to_install_it(two_images, monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    for workers in (1, 2):
        with pytest.raises(
            ImportError, match=r"detector='dlib' needs dlib, which is not installed: pip install -e \.\[dlib\]"
        ):
            crop_faces(pd.concat([two_images] * 64), CropSettings(detector="dlib"), workers=workers)


@pytest.fixture(scope="module")
def drawn_people() -> pd.DataFrame:
    """Some 70 drawn faces in the layout of FER-2013, two plain grey images among them."""
    table = datasets.load("fer2013", "generated").table
    grey = table["image"].str.contains("_0000114[01]")
    return pd.concat([table[~grey][::17], table[grey]], ignore_index=True)


@pytest.fixture(scope="module")
def drawn_by_haar(drawn_people) -> faces.Crops:
    return crop_faces(drawn_people, CropSettings(no_face="drop"), workers=1)


def test_haar_finds_and_aligns_drawn_faces_but_no_plain_grey(drawn_by_haar):
    summary = drawn_by_haar.summary().iloc[0]
    assert summary["found_share"] > 0.85
    assert summary["aligned_share"] > 0.85
    assert summary["dropped"] >= 2
    assert (
        len(drawn_by_haar.table)
        == len(drawn_by_haar.pixels)
        == summary["found"]
        == summary["images"] - summary["dropped"]
    )


def test_two_processes_find_and_align_the_same_faces_as_one(drawn_people, drawn_by_haar):
    assert len(drawn_people) > faces.CHUNK  # else there would be nothing to share
    together = crop_faces(drawn_people, CropSettings(no_face="drop"), workers=2)
    np.testing.assert_array_equal(together.pixels, drawn_by_haar.pixels)
    pd.testing.assert_frame_equal(together.report, drawn_by_haar.report)


def test_face_is_cut_out_of_a_portrait(encode, write_files, tmp_path):
    def portrait(seed: int) -> np.ndarray:
        random = np.random.default_rng(seed)
        return drawing.draw_face(drawing.draw_identity(random), "happy", 0.8, 160, random, framing="portrait")[0]

    files = {f"{seed:02}.png": encode(portrait(seed)) for seed in range(12)}
    report = crop_faces(
        table_of(write_files(tmp_path / "portraits", files), list(files)), CropSettings(channels=3)
    ).report
    assert report["found"].mean() > 0.8
    sides = np.array([box[2] for box in report["box"].dropna()])
    assert 0.4 * 160 < np.median(sides) < 0.8 * 160  # head and shoulders: the face is about two thirds of the picture


@pytest.fixture(scope="module")
def photographs(real_data) -> pd.DataFrame:
    """120 rows of the real FER-2013."""
    return fer2013.load(real_data("fer2013")).table.sample(120, random_state=1)


@pytest.fixture(scope="module")
def photographs_by_haar(photographs) -> faces.Crops:
    return crop_faces(photographs, CropSettings(), workers=1)


def test_haar_finds_three_in_four_real_faces_and_aligns_two_thirds_of_them(photographs, photographs_by_haar):
    summary = photographs_by_haar.summary().iloc[0]
    assert photographs_by_haar.table["image"].tolist() == photographs["image"].tolist()
    assert 0.70 < summary["found_share"] < 0.85
    assert 0.55 < summary["aligned_share"] < 0.80
    assert summary["found"] + summary["whole"] == len(photographs) == len(photographs_by_haar.pixels)
    boxes = photographs_by_haar.report["box"].dropna()
    assert (
        np.mean([24 <= box[2] <= 72 and share_inside(box, np.empty((48, 48))) > 0.5 for box in boxes]) > 0.95
    )  # a face fills its photograph
    assert (photographs_by_haar.report["angle"].notna() == photographs_by_haar.report["aligned"]).all()


def test_dlib_finds_seven_in_ten_real_faces_and_in_the_same_place_as_haar(photographs, photographs_by_haar):
    pytest.importorskip("dlib", reason="dlib is an extra: pip install -e .[dlib]")
    by_dlib = crop_faces(photographs, CropSettings(detector="dlib", align=False), workers=1).report
    assert 0.65 < by_dlib["found"].mean() < 0.85
    both = by_dlib["found"] & photographs_by_haar.report["found"]
    centres = [
        np.array([(x + width / 2, y + height / 2) for x, y, width, height in report.loc[both, "box"]])
        for report in (by_dlib, photographs_by_haar.report)
    ]
    assert np.median(np.linalg.norm(centres[0] - centres[1], axis=1)) < 5  # pixels of 48


@pytest.mark.parametrize("people", ["drawn_by_haar", "photographs_by_haar"])
def test_face_turned_by_ten_degrees_is_turned_back_by_ten_degrees_more(people, request, encode, write_files, tmp_path):
    crops = request.getfixturevalue(people)
    upright = crops.report[crops.report["aligned"]][:40]
    pictures = images.read_images(crops.table[crops.table["image"].isin(upright["image"])], 48)
    # Pillow turns anticlockwise: by -10 degrees the right eye comes to stand lower.
    turned = [
        Image.fromarray(pixels[..., 0]).rotate(-10, Image.Resampling.BICUBIC, fillcolor=127)
        for pixels in pictures.pixels
    ]
    files = {f"{place:02}.png": encode(image) for place, image in enumerate(turned)}
    report = crop_faces(
        table_of(write_files(tmp_path / "turned", files), list(files)), CropSettings(), workers=1
    ).report
    differences = report["angle"].to_numpy() - upright["angle"].to_numpy()
    assert (~np.isnan(differences)).sum() > 15
    assert np.nanmedian(differences) == pytest.approx(10, abs=1.5)


# Faces at the table's boxes, cut when asked for


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_faces_cut_when_asked_for_are_those_that_crop_faces_cuts(encode, lay_out, channels, margin):
    files = {f"{side}.png": encode(gradient(side, side + 9, 3)) for side in (30, 48, 60)}
    boxes = [(5, 5, 20, 16), (-3, 30.4, 21, 21), None]
    table = table_of(lay_out(files), list(files), boxes)
    settings = CropSettings(
        size=12, detector="box", align=False, channels=channels, margin=margin, interpolation="area"
    )
    streamed = faces.boxed_faces(table, settings)
    np.testing.assert_array_equal(streamed[:], crop_faces(table, settings, workers=1).pixels)
    assert streamed.shape == (3, 12, 12, channels)


def test_boxes_outside_and_missing_ones_are_listed_beforehand_with_the_damaged_images(encode, lay_out):
    image = encode(gradient()[..., 0])
    location = lay_out({"a.png": image, "b.png": image, "c.png": image, "d.png": b""})
    table = table_of(
        location, ["a.png", "b.png", "c.png", "d.png"], [(5, 5, 20, 20), (500, 5, 20, 20), None, (5, 5, 20, 20)]
    )
    kept, dropped = (CropSettings(size=8, detector="box", align=False, no_face=no_face) for no_face in ("keep", "drop"))
    listed = images.unreadable(table, faces.box_cut(kept))
    assert listed["image"].tolist() == ["b.png", "d.png"]
    outside = "less than half of the box (500, 5, 20, 20) (x, y, width, height) lies inside the image, which is 60 x 48 pixels"
    assert listed["reason"].tolist() == [
        f"{location}/b.png: {outside}",
        f"{location}/d.png can't be decoded: the file is damaged or no image",
    ]
    assert images.unreadable(table, faces.box_cut(dropped))["image"].tolist() == ["b.png", "c.png", "d.png"]
    with pytest.raises(
        ValueError, match=rf"{location}/b\.png: less than half of the box .*; images\.unreadable lists all such rows"
    ):
        faces.boxed_faces(table, kept)[:]


@pytest.mark.parametrize("settings", [CropSettings(detector="box"), CropSettings(align=False)])
def test_only_boxes_without_alignment_are_cut_when_asked_for(settings):
    with pytest.raises(ValueError, match="only with detector='box' and align=False: choose these, or use crop_faces"):
        faces.box_cut(settings)


def test_table_without_boxes_is_an_error_before_any_face_is_cut():
    with pytest.raises(ValueError, match="detector='box' needs a data set that gives boxes"):
        faces.boxed_faces(table_of("anywhere", ["a.png"]), BY_BOX)
