"""Images of any size, mode and place become one array, and damaged ones a list."""

import io
import struct
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

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
    np.testing.assert_allclose(
        decode(content, 1)[:, :, 0], np.asarray(Image.open(io.BytesIO(content))).astype(int), atol=1
    )


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
        "grey with alpha": (
            Image.fromarray(np.dstack([smooth(0), smooth(9)])),
            np.repeat(smooth(0)[..., None], 3, axis=2),
        ),
        "one bit": (
            Image.fromarray(smooth(0)).convert("1"),
            np.repeat(255 * (np.asarray(Image.fromarray(smooth(0)).convert("1")))[..., None], 3, axis=2),
        ),
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
    read = read_images(
        table_of(lay_out({name: encode(pixels) for name, pixels in files.items()}), list(files)), side=48
    )
    assert read.pixels.shape == (3, 48, 48, 1)
    assert read.resized == 2
    np.testing.assert_array_equal(read.pixels[0, :, :, 0], smooth(0))


def test_no_readable_image_is_an_error_that_names_the_first(lay_out):
    location = lay_out({"a.png": b"text", "b.png": b""})
    with pytest.raises(
        ValueError, match=rf"none of 2 images could be read, the first is {location}/a\.png: the copy is damaged"
    ):
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
    with pytest.raises(
        ValueError, match="no interpolation is called 'cubic': there are nearest, bilinear, bicubic, area, lanczos"
    ):
        resize(smooth(0)[..., None], 24, "cubic")


# Decoded when asked for


@pytest.fixture
def twenty_images(encode, lay_out) -> pd.DataFrame:
    """Twenty grey images of 8 pixels, each of one value, its number, in an order of their own."""
    files = {f"{value}.png": encode(np.full((8, 8), value, "uint8")) for value in range(20)}
    names = np.random.default_rng(0).permutation(list(files)).tolist()
    return table_of(lay_out(files), names)


@pytest.mark.parametrize(
    "chosen",
    [
        slice(None),
        slice(3, 9),
        slice(18, 30),
        np.array([7, 0, 7, -1]),
        np.arange(20) % 3 == 0,
        np.array([], int),
        4,
        np.array([[1, 2], [3, 4]]),
    ],
    ids=["all", "slice", "slice beyond the end", "places", "mask", "none", "one", "two rows"],
)
def test_image_files_are_indexed_like_the_array_of_all_images(twenty_images, monkeypatch, chosen):
    monkeypatch.setattr(images, "BATCH", 3)
    files, read = images.ImageFiles(twenty_images, side=8, channels=1), read_images(twenty_images, side=8)
    assert (len(files), files.shape, files.ndim) == (20, read.pixels.shape, read.pixels.ndim)
    np.testing.assert_array_equal(files[chosen], read.pixels[chosen])
    assert files[chosen].dtype == "uint8"


def test_image_files_are_resized_and_turned_to_rgb(encode, lay_out):
    colour = smooth(0, side=48, channels=3)
    table = table_of(lay_out({"a.png": encode(colour), "b.png": encode(smooth(1))}), ["a.png", "b.png"])
    pixels = images.ImageFiles(table, side=16)[:]
    np.testing.assert_array_equal(pixels[0], resize(colour, 16, "area"))
    np.testing.assert_array_equal(pixels[1], resize(np.repeat(smooth(1)[..., None], 3, axis=2), 16, "area"))


def test_image_files_are_cut_before_they_are_resized(encode, lay_out):
    table = table_of(lay_out({"a.png": encode(smooth(0)), "b.png": encode(smooth(1))}), ["a.png", "b.png"]).assign(
        box=[(4, 8), (16, 0)]
    )
    files = images.ImageFiles(
        table, side=10, channels=1, cut=lambda image, box: image[box[1] : box[1] + 10, box[0] : box[0] + 10]
    )
    np.testing.assert_array_equal(files[:][..., 0], np.stack([smooth(0)[8:18, 4:14], smooth(1)[0:10, 16:26]]))


def test_memory_does_not_grow_with_the_number_of_image_files(encode, write_files, tmp_path):
    files = {f"{value}.jpg": encode(smooth(value, side=64), ".jpg") for value in range(20)}
    few = table_of(write_files(tmp_path / "data", files), list(files))

    def peak(table: pd.DataFrame) -> int:
        streamed = images.ImageFiles(table, side=64)
        tracemalloc.start()
        for start in range(0, len(streamed), 20):
            streamed[start : start + 20]
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(few)  # whatever is set up once
    many = pd.concat([few] * 50, ignore_index=True)
    assert peak(many) < 1.5 * peak(few) < 10 * 20 * 64 * 64 * 3 < 1_000 * 64 * 64 * 3


@pytest.mark.parametrize("content", [b"text", b""])
def test_image_file_that_is_damaged_is_an_error_that_names_it_and_the_next_step(encode, lay_out, content):
    location = lay_out({"a.png": encode(smooth(0)), "b.png": content})
    files = images.ImageFiles(table_of(location, ["a.png", "b.png"]), side=8)
    assert files[:1].shape == (1, 8, 8, 3)
    with pytest.raises(
        ValueError,
        match=rf"{location}/b\.png can't be decoded: .*; images\.unreadable lists all such rows of a table: leave them out first",
    ):
        files[:]


def test_image_file_that_is_gone_is_an_error_that_names_it(encode, lay_out):
    location = lay_out({"a.png": encode(smooth(0))})
    with pytest.raises(ValueError, match=rf"{location}/gone\.png can't be read: .*; images\.unreadable lists"):
        images.ImageFiles(table_of(location, ["a.png", "gone.png"]), side=8)[np.array([1])]


def test_all_unreadable_image_files_are_listed_in_the_order_of_the_table(encode, lay_out, monkeypatch):
    monkeypatch.setattr(images, "BATCH", 2)
    whole = encode(smooth(0))
    files = {"a.png": whole, "b.png": whole[:200], "c.png": b"", "d.png": whole, "e.png": whole}
    table = table_of(lay_out(files), [*files, "gone.png"]).assign(box=[1, 1, 1, 0, 1, 1])

    def cut(image: np.ndarray, box: int) -> np.ndarray:
        if not box:
            raise ValueError("there is no face")
        return image

    without_cut, with_cut = images.unreadable(table), images.unreadable(table, cut)
    assert without_cut["image"].tolist() == ["b.png", "c.png", "gone.png"]
    assert with_cut["image"].tolist() == ["b.png", "c.png", "d.png", "gone.png"]
    assert with_cut["reason"].tolist()[2] == f"{table['path'][3]}: there is no face"
    assert all(path in reason for path, reason in zip(table["path"][[1, 2, 5]], without_cut["reason"], strict=True))


def test_image_files_can_be_read_by_several_threads_at_once(twenty_images):
    files = images.ImageFiles(twenty_images, side=8, channels=1)
    expected = files[:]
    with ThreadPoolExecutor(4) as threads:
        for pixels in threads.map(lambda _: files[:], range(12)):
            np.testing.assert_array_equal(pixels, expected)


def test_image_files_stand_for_an_array_in_training(twenty_images):
    from fer_helpers import training

    class Mean:
        @staticmethod
        def predict_on_batch(inputs: np.ndarray) -> np.ndarray:
            return inputs.mean(axis=(1, 2))

    files, array = images.ImageFiles(twenty_images, side=8, channels=1), read_images(twenty_images, side=8).pixels
    np.testing.assert_array_equal(
        training.predict(Mean, files, batch_size=6), training.predict(Mean, array, batch_size=6)
    )
    streamed, held = (training.Batches(inputs, np.arange(20), 6, seed=3) for inputs in (files, array))
    assert len(streamed) == len(held) == 4
    for step in range(4):
        for one, other in zip(streamed[step], held[step], strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], {}, "there is no image to read: the table is empty"),
        (
            ["fer2013.csv/00001"],
            {},
            r"anywhere/fer2013\.csv/00001 is a row of a CSV file, which can only be read as a whole: use read_images",
        ),
        (["a.png"], {"interpolation": "cubic"}, "no interpolation is called 'cubic'"),
    ],
)
def test_image_files_of_what_cannot_be_streamed_are_an_error_at_once(names, options, message):
    with pytest.raises(ValueError, match=message):
        images.ImageFiles(table_of("anywhere", names), side=8, **options)
