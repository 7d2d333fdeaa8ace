"""Photographs, folders and videos of one's own: every face a row, every file without one a row that says why."""

import os
import sys
from unittest.mock import Mock

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from fer_helpers import network, paths, predict
from fer_helpers.drawn.drawing import draw_face, draw_identity


def portrait(seed=0, side=240):
    """A drawn portrait in RGB."""
    random = np.random.default_rng(seed)
    return draw_face(draw_identity(random), "happy", 1.0, side, random, 3, "portrait")[0]


@pytest.fixture
def trained():
    """A network that is surer of happy the brighter a crop is."""

    def answer(crops):
        share = crops.mean(axis=(1, 2, 3)) / 255
        return np.stack([share, 1 - share], axis=1)

    return network.Network({"classes": ["happy", "sad"], "side": 96, "temperature": 1.0}, answer)


def written(path, pixels):
    assert cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    return path


def test_every_face_of_a_picture_gets_a_row(tmp_path, trained):
    table = predict.predict([written(tmp_path / "two.png", np.hstack([portrait(0), portrait(3)]))], trained)
    assert table["face"].tolist() == [1, 2] and (table["note"] == "").all()
    left = table.sort_values("x")
    assert left["x"].iloc[0] + left["width"].iloc[0] / 2 < 240 < left["x"].iloc[1] + left["width"].iloc[1] / 2
    assert table[["p_happy", "p_sad"]].sum(axis=1).to_numpy() == pytest.approx(1)
    assert table["confidence"].to_numpy() == pytest.approx(table[["p_happy", "p_sad"]].max(axis=1))


def test_the_small_faces_of_a_group_are_found(tmp_path, trained):
    group = np.full((900, 1600, 3), 180, "uint8")
    corners = [(100, 60), (500, 500), (900, 100), (1300, 600)]
    for seed, (x, y) in enumerate(corners):
        group[y : y + 120, x : x + 120] = portrait(seed, side=120)
    table = predict.predict([written(tmp_path / "group.png", group)], trained)
    middles = sorted(zip(table["x"] + table["width"] / 2, table["y"] + table["height"] / 2, strict=True))
    assert np.abs(np.subtract(middles, corners) - 60).max() < 15


def test_the_same_face_is_found_in_every_kind_of_file(tmp_path, trained):
    """Colour and grey, with transparency, 16 bits, and a photograph that its EXIF data turns upright."""
    grey = cv2.cvtColor(picture := portrait(), cv2.COLOR_RGB2GRAY)
    written(tmp_path / "a.png", picture)
    written(tmp_path / "b_grey.png", grey)
    written(tmp_path / "c_deep.png", grey.astype("uint16") * 257)
    written(tmp_path / "c_deep.tiff", picture.astype("uint16") * 257)
    Image.fromarray(picture).convert("RGBA").save(tmp_path / "d_rgba.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned by 90 degrees against the clock
    Image.fromarray(np.rot90(picture).copy()).save(tmp_path / "e_phone.jpg", exif=exif, quality=95)
    table = predict.predict([tmp_path], trained)
    assert table["face"].tolist() == [1] * 6
    assert np.ptp(table[[*predict.BOX]].to_numpy(float), axis=0).max() <= 6


def test_a_damaged_copy_of_the_detector_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_CACHE_DIR", str(tmp_path))
    (tmp_path / "dlib_frontal_face_detector.svm").write_bytes(b"half of it")
    predict._detector.__wrapped__(0)
    assert paths.file_sha256(tmp_path / "dlib_frontal_face_detector.svm") == predict.DETECTOR


def test_what_can_t_be_answered_is_a_row_with_the_reason_and_the_rest_is_done(tmp_path, trained, write_files):
    wrong = {"text.jpg": b"not a photograph", "empty.png": b"", "film.mp4": b"no film" * 100}
    wrong |= {"album/a.HEIC": b"\x00\x00\x00\x18ftypheic" + bytes(64)}
    write_files(tmp_path, wrong | {"folder/._a.jpg": b"", "album/._a.jpg": b""})  # as macOS leaves them
    for name, size in {"huge.png": (10_000, 10_000), "wide.png": (40_000, 2)}.items():
        Image.new("1", size).save(tmp_path / name)  # some kilobytes
    written(tmp_path / "sky.png", load_sample_image("china.jpg"))
    (tmp_path / "cut.jpg").write_bytes(written(tmp_path / "whole.jpg", portrait()).read_bytes()[:300])
    told = {"folder": "no photograph", "missing.jpg": "no such file", "album": "HEIC", "film.mp4": "no video"}
    told |= {"huge.png": "pixels", "wide.png": "pixels", "sky.png": "no face"}
    told |= {"cut.jpg": "damaged", "text.jpg": "no image", "empty.png": ""}
    table = predict.predict([tmp_path / name for name in [*told, "whole.jpg"]], trained)
    notes = table.set_index(table["file"].str.removeprefix(f"{tmp_path}/").str.partition("/")[0])["note"]
    assert {name: text for name, text in told.items() if not notes[name] or text not in notes[name]} == {}
    assert notes["whole.jpg"] == "" and table["face"].notna().sum() == 1


def test_in_a_folder_all_that_is_no_document_and_not_hidden_is_looked_at(tmp_path, write_files):
    names = ("a.dng", "b.MTS", "c/d.png", "e.txt", "f.csv", ".g.jpg", ".trash/h.jpg", "README", "scan")
    write_files(tmp_path, dict.fromkeys(names, b""))
    (tmp_path / "link").symlink_to(tmp_path / "c")
    assert predict.files_in([tmp_path]) == [tmp_path / name for name in ("a.dng", "b.MTS", "c/d.png", "link", "scan")]
    with pytest.raises(ValueError, match="is a link to a folder, which is not followed"):
        predict._photograph(tmp_path / "link")


def test_an_answer_below_the_threshold_is_no_clear_expression(tmp_path, trained):
    photo = written(tmp_path / "a.png", portrait())
    sure = predict.predict([photo], trained, threshold=0.0).iloc[0]
    unsure = predict.predict([photo], trained, threshold=sure["confidence"] + 0.01).iloc[0]
    assert sure["answer"] in ("happy", "sad")
    assert (unsure["answer"], unsure["confidence"]) == (predict.UNCLEAR, sure["confidence"])


def test_a_frame_has_the_second_at_which_it_is_shown_and_too_large_ones_are_refused(tmp_path, trained, monkeypatch):
    film = cv2.VideoWriter(str(tmp_path / "slow.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 0.5, (240, 240))
    for _ in range(3):
        film.write(portrait())
    film.release()
    assert predict.predict([tmp_path / "slow.avi"], trained)["second"].tolist() == [0, 2, 4]
    monkeypatch.setattr(predict.images, "MOST_PIXELS", 240 * 239)
    (row,) = predict.predict([tmp_path / "slow.avi"], trained).to_dict("records")
    assert row["note"].startswith("has frames of more than 57,360 pixels, which are not decoded")


def test_a_face_keeps_its_number_through_a_film_and_another_gets_its_own(tmp_path, trained):
    """One person throughout; another beside in the second half, whose box is larger and so comes first."""
    film = cv2.VideoWriter(str(tmp_path / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (520, 300))
    for number in range(40):
        frame = np.full((300, 520, 3), 128, "uint8")
        frame[40:240, 10 + number // 4 : 210 + number // 4] = portrait(0, side=200)
        if number >= 20:
            frame[20:280, 250:510] = portrait(3, side=260)
        film.write(frame[..., ::-1])
    film.release()
    table = predict.predict([tmp_path / "film.avi"], trained, every=0.5)
    assert sorted(table["second"].unique()) == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]
    first, second = table[table["x"] < 200], table[table["x"] >= 200]
    assert first["face"].tolist() == [1] * 8 and second["face"].tolist() == [2] * 4
    os.truncate(tmp_path / "film.avi", (tmp_path / "film.avi").stat().st_size // 2)
    cut = predict.predict([tmp_path], trained, every=0.5)
    assert cut["face"].notna().any() and "frames that it names: it is damaged" in cut["note"].iloc[-1]


def test_from_the_shell_a_table_is_written_and_no_backend_imported(run_python):
    code = "import sys, fer_helpers.predict; print({'keras', 'tensorflow', 'jax', 'matplotlib'} & set(sys.modules))"
    assert run_python("-c", code).stdout.strip() == "set()"


def test_the_command_answers_and_says_by_its_status_when_nothing_could_be(tmp_path, trained, monkeypatch, capsys):
    monkeypatch.setattr(network, "load", lambda: trained)
    photo, out = written(tmp_path / "a.png", portrait()), tmp_path / "out.csv"
    (other := tmp_path / "face").write_bytes(photo.read_bytes())
    monkeypatch.setattr(sys, "argv", ["predict", str(photo), "--csv", str(out)])
    assert predict.main() == 0
    assert f"{photo}: face 1: " in capsys.readouterr().out
    assert pd.read_csv(out)["face"].tolist() == [1]
    monkeypatch.setattr(sys, "argv", ["predict", str(photo), "--csv", str(photo / "out.csv")])  # in no folder
    assert predict.main() == 1
    told = capsys.readouterr()
    assert f"{photo}: face 1: " in told.out and "free some space or name another place" in told.err
    os.mkfifo(pipe := tmp_path / "a.mp4")
    monkeypatch.setattr(sys, "argv", ["predict", str(tmp_path / "none\n\x1b.jpg"), str(pipe)])
    assert predict.main() == 1
    none, pipe = capsys.readouterr().out.splitlines()
    assert none.endswith("none\\n\\x1b.jpg: there is no such file") and pipe.endswith("no file but a pipe or a device")
    for wrong in ("", *(f"--csv={t}" for t in (tmp_path, os.devnull, photo, other)), "--every=inf", "--threshold=nan"):
        monkeypatch.setattr(sys, "argv", ["predict", str(photo), str(other), wrong])
        with pytest.raises(SystemExit, match="2"):
            predict.main()
    monkeypatch.setattr(sys, "argv", ["predict", str(photo)])
    monkeypatch.setattr(predict, "predict", Mock(side_effect=KeyboardInterrupt))
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit, match="130"):
        predict.main()
