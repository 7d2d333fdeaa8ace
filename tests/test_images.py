"""Images of any size, mode and place become one array, and damaged ones a list."""

import io
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

from fer_helpers import images
from fer_helpers.images import decode, read_images, resize


def smooth(seed: int, side: int = 48, channels: int = 1) -> np.ndarray:
    """A smooth random image, which JPEG keeps within a few grey values; (side, side) if grey."""
    noise = np.random.default_rng(seed).normal(size=(side, side, channels))
    blurred = ndimage.gaussian_filter(noise, (6, 6, 0))
    scaled = 255 * (blurred - blurred.min()) / np.ptp(blurred)
    return scaled.astype("uint8").squeeze()


def table_of(folder, names: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"image": names, "path": [f"{folder}/{name}" for name in names]})


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff"])
def test_lossless_grey_image_is_decoded_to_its_pixels(encode, suffix):
    pixels = smooth(0)
    np.testing.assert_array_equal(decode(encode(pixels, suffix), 1)[:, :, 0], pixels)


def test_jpeg_is_decoded_as_pillow_decodes_it(encode):
    content = encode(smooth(0), ".jpg", quality=75)
    np.testing.assert_allclose(decode(content, 1)[:, :, 0], np.asarray(Image.open(io.BytesIO(content))).astype(int), atol=1)


def test_grey_photograph_is_repeated_to_three_channels(encode):
    decoded = decode(encode(smooth(0)), 3)
    for channel in range(3):
        np.testing.assert_array_equal(decoded[:, :, channel], smooth(0))


def test_channels_are_red_green_blue_in_this_order(encode):
    red = np.zeros((48, 48, 3), "uint8")
    red[..., 0] = 255
    assert decode(encode(red), 3)[0, 0].tolist() == [255, 0, 0]


def modes() -> dict[str, tuple[Image.Image, np.ndarray]]:
    """One image of each mode, and the RGB that Pillow converts it to."""
    colour = np.stack([smooth(seed) for seed in range(3)], axis=2)
    palette = Image.fromarray(colour).quantize(16)
    deep = Image.fromarray(smooth(0).astype("uint16") * 256 + 77)  # 16 bits, of which the upper eight count
    return {
        "RGB": (Image.fromarray(colour), colour),
        "RGBA": (Image.fromarray(np.dstack([colour, smooth(9)])), colour),
        "palette": (palette, np.asarray(palette.convert("RGB"))),
        "16 bits": (deep, np.repeat(smooth(0)[..., None], 3, axis=2)),
        "grey with alpha": (Image.fromarray(np.dstack([smooth(0), smooth(9)])), np.repeat(smooth(0)[..., None], 3, axis=2)),
        "one bit": (Image.fromarray(smooth(0)).convert("1"), np.repeat(255 * (np.asarray(Image.fromarray(smooth(0)).convert("1")))[..., None], 3, axis=2)),
    }


@pytest.mark.parametrize("mode", modes())
def test_image_of_any_mode_becomes_rgb_and_grey(encode, mode):
    image, rgb = modes()[mode]
    content = encode(image)
    np.testing.assert_array_equal(decode(content, 3), rgb)
    # ITU-R 601, as in Pillow's manual; libpng rounds to within one grey value.
    grey = rgb @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(decode(content, 1)[:, :, 0], grey, atol=1.01)


def oversized_png() -> bytes:
    """A PNG whose header claims 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tiff", ".bmp"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, -1])
def test_truncated_image_is_not_decoded_to_a_half_grey_one(encode, suffix, kept):
    content = encode(smooth(0), suffix)
    cut = content[:-1] if kept == -1 else content[: int(kept * len(content))]
    assert decode(content, 1) is not None
    assert decode(cut, 1) is None
    assert decode(cut, 3) is None


def test_truncated_progressive_jpeg_is_not_decoded(encode):
    content = encode(smooth(0, channels=3), ".jpg", progressive=True)
    assert decode(content, 3) is not None
    assert decode(content[: int(0.7 * len(content))], 3) is None


def test_truncated_jpeg_with_a_whole_thumbnail_is_not_decoded(encode):
    picture = encode(smooth(0), ".jpg")
    thumbnail = encode(smooth(1, side=16), ".jpg")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    with_thumbnail = picture[:2] + segment + picture[2:]
    assert decode(with_thumbnail, 1).shape == (48, 48, 1)
    assert decode(with_thumbnail[:-200], 1) is None


@pytest.mark.parametrize("content", [b"", b"no image at all", oversized_png()], ids=["empty", "text", "oversized"])
def test_file_that_is_no_image_is_not_decoded(content):
    assert decode(content, 1) is None
    assert decode(content, 3) is None


def test_png_with_one_changed_byte_is_not_decoded(encode):
    content = bytearray(encode(smooth(0)))
    content[len(content) // 2] ^= 1
    assert decode(bytes(content), 1) is None


def test_damaged_images_are_left_out_listed_and_counted(encode, lay_out):
    whole = encode(smooth(0))
    files = {"a.png": whole, "b.png": whole[:200], "c.png": b"", "d.png": encode(smooth(1)), "e.png": b"text"}
    table = table_of(lay_out(files), list(files))
    read = read_images(table, side=48)
    assert read.table["image"].tolist() == ["a.png", "d.png"]
    assert read.pixels.shape == (2, 48, 48, 1)
    np.testing.assert_array_equal(read.pixels[1, :, :, 0], smooth(1))
    assert read.skipped["image"].tolist() == ["b.png", "c.png", "e.png"]
    expected = [f"{table['path'][place]} can't be decoded: the file is damaged or no image" for place in (1, 2, 4)]
    assert read.skipped["reason"].tolist() == expected


def test_pixels_come_in_the_order_of_the_table_however_many_there_are(encode, lay_out, monkeypatch):
    monkeypatch.setattr(images, "BATCH", 3)
    files = {f"{value}.png": encode(np.full((8, 8), value, "uint8")) for value in range(20)}
    names = np.random.default_rng(0).permutation(list(files)).tolist()
    read = read_images(table_of(lay_out(files), names), side=8)
    assert read.pixels.dtype == "uint8"
    assert [f"{value}.png" for value in read.pixels[:, 0, 0, 0]] == names == read.table["image"].tolist()


def test_images_of_another_size_are_resized_and_counted(encode, lay_out):
    files = {"same.png": smooth(0), "larger.png": smooth(1, side=96), "flat.png": smooth(2)[:24]}
    read = read_images(table_of(lay_out({name: encode(pixels) for name, pixels in files.items()}), list(files)), side=48)
    assert read.pixels.shape == (3, 48, 48, 1)
    assert read.resized == 2
    np.testing.assert_array_equal(read.pixels[0, :, :, 0], smooth(0))


def test_no_readable_image_is_an_error_that_names_the_first(lay_out):
    location = lay_out({"a.png": b"text", "b.png": b""})
    with pytest.raises(ValueError, match=rf"none of 2 images could be read, the first is {location}/a\.png: the copy is damaged"):
        read_images(table_of(location, ["a.png", "b.png"]), side=48)


def test_empty_table_is_an_error_that_says_so():
    with pytest.raises(ValueError, match="there is no image to read: the table is empty"):
        read_images(table_of("anywhere", []), side=48)


def test_area_shrinking_takes_the_mean_of_each_block():
    image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype="uint8")
    means = image.reshape(16, 3, 16, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize(image, 16, "area"), means, atol=0.51)


def test_nearest_doubling_repeats_each_pixel():
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 1), dtype="uint8")
    np.testing.assert_array_equal(resize(image, 48, "nearest"), image.repeat(2, axis=0).repeat(2, axis=1))


def test_bilinear_doubling_takes_quarters_and_three_quarters_of_the_neighbours():
    image = np.array([[[0], [100]], [[0], [100]]], "uint8")
    assert resize(image, 4, "bilinear")[0, :, 0].tolist() == [0, 25, 75, 100]


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "area", "lanczos"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_interpolation_keeps_a_plain_image_plain(interpolation, channels):
    plain = np.full((48, 40, channels), 137, "uint8")
    resized = resize(plain, 96, interpolation)
    assert resized.shape == (96, 96, channels)
    assert set(resized.ravel()) == {137}


def test_unknown_interpolation_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="no interpolation is called 'cubic': there are nearest, bilinear, bicubic, area, lanczos"):
        resize(smooth(0)[..., None], 24, "cubic")
