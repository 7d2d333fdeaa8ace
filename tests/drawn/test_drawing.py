"""Drawn faces: the same again from the same seed, found by face detectors, and their expressions can be learnt but not for free."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fer_helpers.datasets.table import EXPRESSIONS
from fer_helpers.drawn import drawing

SEVEN = EXPRESSIONS[:7]  # without contempt, as in FER-2013
PORTRAITS = 100
PORTRAIT_SIDE = 256
PORTRAIT_FACE_Y = 0.44  # share of the height at which the middle of a portrait's face lies, give or take 0.05


def generator(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def a_face(
    person: int = 1, expression: str = "happy", intensity: float = 1.0, seed: int = 2, size: int = 48, **options
) -> np.ndarray:
    return drawing.draw_face(
        drawing.draw_identity(generator(person)), expression, intensity, size, generator(seed), **options
    )


def test_the_same_seed_draws_the_same_pixels():
    np.testing.assert_array_equal(a_face(), a_face())


@pytest.mark.parametrize("changed", [{"person": 3}, {"seed": 3}, {"expression": "anger"}, {"intensity": 0.5}], ids=str)
def test_another_person_seed_expression_or_intensity_draws_another_face(changed):
    assert np.mean(a_face() != a_face(**changed)) > 0.05


@pytest.mark.parametrize("framing", ["crop", "portrait"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [32, 48, 300])
def test_a_picture_has_the_side_and_channels_asked_for_and_real_contrast(size, channels, framing):
    picture = a_face(size=size, channels=channels, framing=framing)
    assert picture.shape == (size, size, channels)
    assert picture.dtype == np.uint8
    assert picture.std() > 10


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_at_intensity_zero_every_expression_is_the_neutral_face(expression):
    np.testing.assert_array_equal(a_face(expression=expression, intensity=0.0), a_face(expression="neutral"))


@pytest.mark.parametrize("expression", EXPRESSIONS[1:])
def test_a_stronger_expression_is_further_from_neutral(expression):
    def distance(intensity: float) -> float:
        pairs = [
            (a_face(person, expression, intensity, person), a_face(person, "neutral", 1.0, person))
            for person in range(6)
        ]
        return float(np.mean([np.abs(shown.astype(float) - neutral).mean() for shown, neutral in pairs]))

    weak, half, full = map(distance, (0.25, 0.5, 1.0))
    assert 0 < weak < half < full


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"expression": "joy"}, "'joy'.*neutral, happy"), ({"framing": "body"}, "crop or portrait.*'body'")],
)
def test_an_unknown_expression_or_framing_is_an_error_that_names_what_there_is(wrong, named):
    with pytest.raises(ValueError, match=named):
        a_face(**wrong)


@pytest.fixture(scope="module")
def portraits() -> list[np.ndarray]:
    """Grey pictures (side, side) of a hundred people, all expressions from weak to full."""

    def portrait(number: int) -> np.ndarray:
        identity, random = drawing.draw_identity(generator(10, number)), generator(11, number)
        expression, intensity = EXPRESSIONS[number % len(EXPRESSIONS)], random.uniform(0.4, 1)
        return drawing.draw_face(
            identity, expression, intensity, PORTRAIT_SIDE, random, channels=1, framing="portrait"
        )[..., 0]

    return [portrait(number) for number in range(PORTRAITS)]


def on_the_face(x: float, y: float, width: float, height: float) -> bool:
    """Whether a detector's box, in pixels, holds a portrait's face: about as large, and its middle near the face's."""
    off_centre = abs(x + width / 2 - PORTRAIT_SIDE / 2), abs(y + height / 2 - PORTRAIT_FACE_Y * PORTRAIT_SIDE)
    return max(off_centre) < 0.15 * PORTRAIT_SIDE and 0.25 < width / PORTRAIT_SIDE < 0.75


def share_found(portraits: list[np.ndarray], boxes_of: Callable[[np.ndarray], list]) -> float:
    return float(np.mean([any(on_the_face(*box) for box in boxes_of(portrait)) for portrait in portraits]))


def test_haar_cascade_finds_the_face_of_nearly_every_portrait(portraits):
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    assert share_found(portraits, lambda portrait: cascade.detectMultiScale(portrait, 1.1, 5)) >= 0.95


def test_dlib_finds_the_face_of_nearly_every_portrait(portraits):
    dlib = pytest.importorskip("dlib", reason="dlib is an extra: pip install -e .[dlib]")
    detector = dlib.get_frontal_face_detector()
    boxes_of = lambda portrait: [(box.left(), box.top(), box.width(), box.height()) for box in detector(portrait, 0)]  # noqa: E731
    assert share_found(portraits, boxes_of) >= 0.95


def faces_of_people(people: range, pictures_each: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Grey faces (n, 48, 48) of these people, each with all seven expressions at any intensity, and their classes (n,)."""
    faces, classes = [], []
    for person in people:
        identity = drawing.draw_identity(generator(20, person))
        for picture in range(pictures_each):
            random = generator(21, person, picture)
            faces.append(
                drawing.draw_face(identity, SEVEN[picture % 7], random.uniform(0.4, 1), 48, random, channels=1)[..., 0]
            )
            classes.append(picture % 7)
    return np.array(faces), np.array(classes)


@pytest.fixture(scope="module")
def accuracy_on_strangers() -> Callable[..., float]:
    """Accuracy of gradient histograms with logistic regression, seven classes of equal size, on people it was not trained on."""
    histogram = cv2.HOGDescriptor((48, 48), (16, 16), (8, 8), (8, 8), 9)
    (train, train_classes), (test, test_classes) = faces_of_people(range(50)), faces_of_people(range(1_000, 1_040))
    train, test = ([histogram.compute(face) for face in faces] for faces in (train, test))

    def accuracy(shuffled: bool) -> float:
        classes = generator(22).permutation(train_classes) if shuffled else train_classes
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
        return model.fit(train, classes).score(test, test_classes)

    return accuracy


def test_expressions_of_strangers_can_be_told_from_gradients(accuracy_on_strangers):
    assert accuracy_on_strangers(shuffled=False) > 3 / 7


def test_shuffled_labels_teach_nothing_about_strangers(accuracy_on_strangers):
    # 280 test images: four standard errors of an accuracy of 1/7 are 0.08.
    assert accuracy_on_strangers(shuffled=True) < 1 / 7 + 0.08


@pytest.mark.slow
@pytest.mark.timeout(1_800)  # a minute or two on two free cores
@pytest.mark.parametrize(
    ("shuffled", "low", "high"), [(False, 0.5, 0.99), (True, 0.0, 1 / 7 + 0.08)], ids=["true labels", "shuffled labels"]
)
def test_efficientnet_b0_from_random_weights_learns_the_expressions_of_strangers(shuffled, low, high):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    (train, train_classes), (test, test_classes) = faces_of_people(range(260)), faces_of_people(range(1_000, 1_060))
    if shuffled:
        train_classes = generator(23).permutation(train_classes)
    model = keras.applications.EfficientNetB0(weights=None, input_shape=(48, 48, 3), classes=7)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # 0.99 lags behind in so few steps
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(_three_channels(train), train_classes, batch_size=32, epochs=10, verbose=0)
    assert low < model.evaluate(_three_channels(test), test_classes, verbose=0)[1] < high


def _three_channels(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=-1).astype("float32")
