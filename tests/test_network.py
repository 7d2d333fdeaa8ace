"""A trained network in a folder: its card, its temperature, and that a damaged one is not used."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, softmax

from fer_helpers import datasets, images, network, paths

SHA256 = hashlib.sha256(b"no network").hexdigest()
HALF = f'{{"sha256": "{SHA256}", "classes": ["happy"], "side": 48}}'.encode()  # a card without a temperature
DAMAGED = [
    *((name, None, "restore it from git") for name in ("card.json", "network.tflite")),
    *(("card.json", content, "is damaged") for content in (b"{", b'{"side": 48}', b"[]", HALF)),
    ("network.tflite", b"no netw", "is damaged"),
]


def test_a_temperature_divides_logits():
    logits = np.random.default_rng(0).normal(0, 3, (50, 7))
    assert network.tempered(softmax(logits, axis=1), 2.5) == pytest.approx(softmax(logits / 2.5, axis=1), abs=1e-6)


@pytest.mark.parametrize("true", [0.6, 1.0, 1.8, 3.0])
def test_the_temperature_of_simulated_answers_is_found(true):
    """Labels are drawn from softmax(logits / true): a network that gives softmax(logits) is that much too sure."""
    random = np.random.default_rng(1)
    logits = random.normal(0, 3, (20_000, 7))
    labels = (log_softmax(logits / true, axis=1) + random.gumbel(size=logits.shape)).argmax(axis=1)
    assert network.fit_temperature(labels, softmax(logits, axis=1)) == pytest.approx(true, rel=0.05)


def test_crops_pass_in_steps_and_grey_whatever_their_number():
    seen = []

    def answer(images):
        seen.append(images.shape)
        assert (images[..., 0] == images[..., 2]).all()
        share = images.mean(axis=(1, 2, 3)) / 255
        return np.stack([share, 1 - share], axis=1)

    trained = network.Network({"classes": ["happy", "sad"], "side": 8, "temperature": 1.0}, answer)
    crops = np.random.default_rng(2).integers(1, 255, (2 * network.STEP + 3, 8, 8, 3), "uint8")
    assert trained.probabilities(crops)[:, 0] == pytest.approx(crops.mean(axis=(1, 2, 3)) / 255)
    assert [shape[0] for shape in seen] == [network.STEP, network.STEP, 3]
    assert trained.probabilities(crops[:0]).shape == (0, 2)
    assert trained.probabilities(crops[:5, :4, :4, :1]).shape == (5, 2) and seen[-1] == (5, 8, 8, 3)


def test_the_network_that_comes_with_the_project_is_small_and_nearly_as_good_as_it_was_trained_and_names_drawn_faces():
    trained = network.load()
    drawn = images.read_images(datasets.load("fer2013", "generated").table, 48)
    answers = np.array(trained.card["classes"])[trained.probabilities(drawn.pixels).argmax(axis=1)]
    assert (answers == drawn.table["expression"]).mean() > 3 / 7
    scored = pd.read_csv(paths.reports_dir() / trained.card["run"] / "results.csv")
    scored = scored.query("metric == 'accuracy' and split == 'test'").set_index("model")["value"]
    assert scored["Lite0, exported with 8-bit weights"] == trained.card["accuracy"] > scored["Lite0"] - 0.003
    assert (network.FOLDER / "network.tflite").stat().st_size < 4 * 2**20


@pytest.mark.parametrize(("file", "content", "told"), DAMAGED)
def test_a_missing_or_damaged_network_is_named_and_not_used(tmp_path, write_files, file, content, told):
    card = {"classes": ["happy"], "side": 48, "temperature": 1.0, "sha256": SHA256}
    write_files(tmp_path, {"network.tflite": b"no network", "card.json": json.dumps(card)})
    (tmp_path / file).unlink() if content is None else (tmp_path / file).write_bytes(content)
    with pytest.raises((FileNotFoundError, ValueError), match=told) as error:
        network.load(tmp_path)
    assert str(tmp_path) in str(error.value)
