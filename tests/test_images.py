"""Images of any size, mode and place become one array, and damaged or boundless ones a list."""

import io
import struct
import threading
import time
import tracemalloc
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

from fer_helpers import images
from fer_helpers.datasets.files import METHODS
from fer_helpers.images import ImageFiles, decode, read_images, resize

NO_IMAGE = "can't be decoded: the file is damaged or no image"
CHOICES = {"all": slice(None), "slice": slice(3, 9), "slice beyond the end": slice(18, 30), "one": 4}
CHOICES |= {"rows": np.array([7, 0, 7, -1]), "mask": np.arange(20) % 3 == 0, "none": np.array([], int)}
CHOICE = "at least 1 pixel, 1 or 3 channels, and one of nearest, bilinear, bicubic, area, lanczos"
CUBIC = {"interpolation": "cubic"}, f"no image has 8 pixels and . channels by 'cubic': take {CHOICE}"
UNREAD = [
    *((read, [], {}, "there is no image to read: the table is empty") for read in (ImageFiles, read_images)),
    *((read, ["a.png"], *CUBIC) for read in (ImageFiles, read_images)),
    (read_images, ["a.png", "b.png"], {}, rf"none of 2 images could be read: .*/a\.png: {NO_IMAGE}"),
]


def smooth(seed: int, side: int = 48, channels: int = 1) -> np.ndarray:
    """A smooth random image, which JPEG keeps within a few grey values; (side, side) if grey."""
    blurred = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(side, side, channels)), (6, 6, 0))
    return (255 * (blurred - blurred.min()) / np.ptp(blurred)).astype("uint8").squeeze()


def table_of(folder, names) -> pd.DataFrame:
    return pd.DataFrame({"image": list(names), "path": [f"{folder}/{name}" for name in names]})


def test_grey_image_is_decoded_to_its_pixels_and_repeated_to_three_channels(encode):
    for content in (encode(smooth(0), suffix) for suffix in (".png", ".bmp", ".tiff", ".pgm")):
        np.testing.assert_array_equal(decode(content, 1)[..., 0], smooth(0))
        np.testing.assert_array_equal(decode(content, 3), np.repeat(smooth(0)[..., None], 3, axis=2))
    content = encode(smooth(0), ".jpg", quality=75)
    np.testing.assert_allclose(decode(content, 1)[..., 0], np.asarray(Image.open(io.BytesIO(content)), int), atol=1)


def test_values_up_to_another_maximum_than_that_of_eight_or_sixteen_bits_are_refused():
    with pytest.raises(ValueError, match="another brightest value than 255 or 65,535"):
        decode(b"P5 2 1 15 \x0f\x07", 1)
    assert decode(b"P5 2 1 255 \xff\x07", 1).ravel().tolist() == [255, 7]


def modes() -> dict[str, tuple[Image.Image, np.ndarray]]:
    """One image of each mode, and the RGB that Pillow converts it to."""
    colour = np.stack([smooth(seed) for seed in range(3)], axis=2)
    grey = np.repeat(smooth(0)[..., None], 3, axis=2)
    palette, bits = Image.fromarray(colour).quantize(16), Image.fromarray(smooth(0)).convert("1")
    return {
        "RGB": (Image.fromarray(colour), colour),
        "RGBA": (Image.fromarray(np.dstack([colour, smooth(9)])), colour),
        "palette": (palette, np.asarray(palette.convert("RGB"))),
        "grey with alpha": (Image.fromarray(np.dstack([smooth(0), smooth(9)])), grey),
        "one bit": (bits, np.repeat(255 * np.asarray(bits)[..., None], 3, axis=2)),
    }


@pytest.mark.parametrize("mode", modes())
def test_image_of_any_mode_becomes_rgb_and_grey(encode, mode):
    image, rgb = modes()[mode]
    np.testing.assert_array_equal(decode(encode(image), 3), rgb)
    # ITU-R 601, as in Pillow's manual; libpng rounds to within one grey value.
    np.testing.assert_allclose(decode(encode(image), 1)[..., 0], rgb @ np.array([0.299, 0.587, 0.114]), atol=1.01)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_greys_of_any_depth_in_a_file_of_16_bits_span_black_to_white_and_colours_keep_their_hue(encode, bits):
    deep = Image.fromarray(smooth(0).astype("uint16") * 2 ** (bits - 8) + 2 ** (bits - 8) // 3)
    for suffix, channels in product((".png", ".tiff"), (1, 3)):
        np.testing.assert_array_equal(decode(encode(deep, suffix), channels)[..., 0], smooth(0))
    red = np.zeros((8, 8, 3), "uint16")
    red[..., 2], red[..., 1] = 4_000, 1_000  # OpenCV writes blue, green, red; Pillow has no colours of 16 bits
    for suffix in (".png", ".tiff"):
        assert decode(cv2.imencode(suffix, red)[1].tobytes(), 3)[0, 0].tolist() == [250, 62, 0]


def test_photograph_is_turned_upright_unless_a_box_is_for_the_pixels_as_stored(encode):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right; stored are 24 x 48 pixels (height, width), bright on the left
    content = encode(np.repeat(np.linspace(255, 0, 48)[None], 24, axis=0).astype("uint8"), ".jpg", exif=exif)
    upright, stored = (decode(content, 1, oriented)[..., 0] for oriented in (True, False))
    assert (upright.shape, stored.shape) == ((48, 24), (24, 48))
    assert upright[0].min() > upright[-1].max() and stored[:, 0].min() > stored[:, -1].max()


def test_what_is_truncated_has_one_changed_byte_or_is_no_image_is_not_decoded(encode):
    whole = [encode(smooth(0), suffix) for suffix in (".jpg", ".png", ".tiff", ".bmp")]
    truncated = [content[: int(kept * len(content) - 1)] for content in whole for kept in (0.1, 0.5, 0.9, 1)]
    progressive = encode(smooth(0, channels=3), ".jpg", progressive=True)
    picture, thumbnail = encode(smooth(0), ".jpg"), encode(smooth(1, side=16), ".jpg")
    with_thumbnail = picture[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + picture[2:]
    assert decode(with_thumbnail, 1).shape == (48, 48, 1)
    changed, floats = bytearray(encode(smooth(0))), encode(Image.fromarray(smooth(0).astype("float32")), ".tiff")
    changed[len(changed) // 2] ^= 1
    damaged = progressive[: int(0.7 * len(progressive))], with_thumbnail[:-200], bytes(changed)
    for content, channels in product((*truncated, *damaged, b"", b"no image at all", floats), (1, 3)):
        with pytest.raises(ValueError, match=NO_IMAGE):
            decode(content, channels)


def oversized(encode, kind: str, side: int) -> bytes:
    """An image of side x side pixels: whole, blank and of one bit a pixel, or one whose header alone claims so."""
    if kind in ("png", "tiff"):
        return encode(Image.new("1", (side, side), 1), f".{kind}", compression="group4")
    content = encode(smooth(0), f".{kind}")
    place, form = (content.index(b"\xff\xc0") + 5, ">HH") if kind == "jpg" else (18, "<ii")
    size = struct.pack(form, side, side)
    return content[:place] + size + content[place + len(size) :]


@pytest.mark.parametrize("kind", ["png", "jpg", "tiff", "bmp"])
@pytest.mark.parametrize("side", [10_000, 20_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_image_of_too_many_pixels_is_refused_by_its_header_in_a_sentence(encode, lay_out, kind, side):
    location = lay_out({"bomb": oversized(encode, kind, side), "small.png": encode(smooth(0))})
    tracemalloc.start()
    start = time.process_time()
    read = read_images(table_of(location, ["small.png", "bomb"]), side=48)
    used, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read.table["image"].tolist() == ["small.png"]
    fault = "more than 89,478,485 pixels, or 32,767 on a side, are not decoded: make it smaller, or leave it out"
    assert read.skipped["reason"].tolist() == [f"{location}/bomb: {fault}"]
    assert used < 1 and peak < 20e6  # decoding takes seconds and hundreds of megabytes


@pytest.mark.parametrize("method", METHODS)
def test_damaged_member_of_an_archive_is_a_damaged_image(encode, tmp_path, method):
    with zipfile.ZipFile(location := tmp_path / "data.zip", "w", method) as archive:
        for name in ("a.png", "b.png"):
            archive.writestr(name, encode(smooth(0)))
    content = bytearray(location.read_bytes())
    content[200:210] = bytes(255 - value for value in content[200:210])  # inside the first member
    location.write_bytes(content)
    assert read_images(table_of(location, ["a.png", "b.png"]), side=48).skipped["image"].tolist() == ["a.png"]


@pytest.fixture
def twenty_images(encode, lay_out) -> pd.DataFrame:
    """Twenty grey images of 8 pixels, each of one value, its number, in an order of their own."""
    files = {f"{value}.png": encode(np.full((8, 8), value, "uint8")) for value in range(20)}
    return table_of(lay_out(files), np.random.default_rng(0).permutation(list(files)).tolist())


def test_pixels_come_in_the_order_of_the_table_however_many_there_are(twenty_images, monkeypatch):
    monkeypatch.setattr(images, "BATCH", 3)
    read = read_images(twenty_images, side=8)
    assert read.pixels.dtype == "uint8"
    names = [f"{value}.png" for value in read.pixels[:, 0, 0, 0]]
    assert names == twenty_images["image"].tolist() == read.table["image"].tolist()


def test_shrinking_and_doubling_give_what_a_hand_computes():
    image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype="uint8")
    np.testing.assert_allclose(resize(image, 16, "area"), image.reshape(16, 3, 16, 3, 3).mean(axis=(1, 3)), atol=0.51)
    np.testing.assert_array_equal(resize(image, 96, "nearest"), image.repeat(2, axis=0).repeat(2, axis=1))
    assert resize(np.array([[[0], [100]], [[0], [100]]], "uint8"), 4, "bilinear")[0, :, 0].tolist() == [0, 25, 75, 100]


@pytest.mark.parametrize("chosen", [*CHOICES.values(), np.array([[1, 2], [3, 4]])], ids=[*CHOICES, "two rows"])
def test_image_files_are_indexed_like_the_array_of_all_images(twenty_images, monkeypatch, chosen):
    monkeypatch.setattr(images, "BATCH", 3)
    monkeypatch.setattr(images, "WORTH_A_THREAD", 0)
    files, read = ImageFiles(twenty_images, side=8, channels=1), read_images(twenty_images, side=8)
    assert (len(files), files.shape, files.ndim) == (20, read.pixels.shape, read.pixels.ndim)
    with ThreadPoolExecutor(4) as threads:  # by several at once
        for pixels in threads.map(lambda _: files[chosen], range(8)):
            np.testing.assert_array_equal(pixels, read.pixels[chosen])
    assert files[chosen].dtype == "uint8"


@pytest.mark.parametrize("worth", [0, 60], ids=["slow", "quick"])
def test_what_takes_less_time_than_a_thread_costs_is_not_handed_over(monkeypatch, worth):
    monkeypatch.setattr(images, "WORTH_A_THREAD", worth)
    done_by = list(images.in_threads(lambda _: threading.get_ident(), range(2_500)))
    assert len(done_by) == 2_500 and (set(done_by) == {threading.get_ident()}) == bool(worth)


def test_image_files_are_cut_resized_and_turned_to_rgb(encode, lay_out):
    colour = smooth(0, channels=3)
    table = table_of(lay_out({"a.png": encode(colour), "b.png": encode(smooth(1))}), ["a.png", "b.png"])
    whole = ImageFiles(table, side=16)[:]
    np.testing.assert_array_equal(whole[0], resize(colour, 16, "area"))
    np.testing.assert_array_equal(whole[1], resize(np.repeat(smooth(1)[..., None], 3, axis=2), 16, "area"))
    table["box"] = [(4, 8, 10, 10), (16, 0, 10, 10)]
    boxed = ImageFiles(table, 10, boxed=True)[:]
    np.testing.assert_array_equal(boxed[0], colour[8:18, 4:14])
    np.testing.assert_array_equal(boxed[1, ..., 0], smooth(1)[0:10, 16:26])


def test_damaged_images_are_left_out_and_listed_and_others_resized(encode, lay_out):
    whole = encode(smooth(0))
    files = {"a.png": whole, "b.png": whole[:200], "c.png": b"", "d.png": encode(smooth(1, side=96)), "e.png": b"text"}
    files["flat.png"] = encode(smooth(2)[:24])
    table = table_of(lay_out(files), [*files, "gone.png"])
    read, damaged = read_images(table, side=48), ["b.png", "c.png", "e.png", "gone.png"]
    assert read.table["image"].tolist() == ["a.png", "d.png", "flat.png"]
    assert read.pixels.shape == (3, 48, 48, 1)
    np.testing.assert_array_equal(read.pixels[0, :, :, 0], smooth(0))
    assert read.skipped["image"].tolist() == damaged
    *reasons, gone = read.skipped["reason"]
    assert reasons == [f"{table['path'][row]}: {NO_IMAGE}" for row in (1, 2, 4)]
    assert gone.startswith(f"{table['path'][6]}: ")
    streamed = ImageFiles(table, side=8)
    assert streamed[:1].shape == (1, 8, 8, 3)
    for row in (1, 2, 6):
        with pytest.raises(ValueError, match=rf"{table['path'][row]}: .*; images\.read_images lists all such rows"):
            streamed[row]


@pytest.mark.parametrize(("read", "names", "options", "message"), UNREAD)
def test_what_cannot_be_read_at_all_is_an_error_that_says_why(lay_out, read, names, options, message):
    with pytest.raises(ValueError, match=message):
        read(table_of(lay_out({"a.png": b"text", "b.png": b""}), names), 8, **options)
