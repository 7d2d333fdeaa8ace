"""CK+ with drawn faces: sequences from rest to the peak of an expression, whose frames look alike, as those of a film do.

Within a sequence only the intensity grows: person, pose, light and background stay. A split that deals out images by chance has nearly
the same picture on both sides, and one by sequence the same person, as with the real data.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fer_helpers.datasets import ckplus
from fer_helpers.drawn import drawing
from fer_helpers.drawn.faces import png

PEOPLE = 24
SEQUENCES_A_PERSON = 4  # labelled, each of another expression; every other person has one more without a label
INTENSITIES = (0.02, 0.25, 0.55, 0.8, 0.9, 1.0)  # of a sequence's frames
LAST_FRAMES = 3  # all that the copy on Kaggle has
UNCLEAR = 0.5  # share of the intensity that an unlabelled sequence reaches
SIDE = 160
FOLDERS = {
    "anger": "anger",
    "contempt": "contempt",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "sad": "sadness",
    "surprise": "surprise",
}


@dataclass(frozen=True)
class Sequence:
    """One film of a person: what is shown, and the code of its emotion file, None where it has none."""

    person: int
    number: int
    expression: str
    intensities: tuple[float, ...]
    code: int | None

    def stem(self, frame: int) -> str:
        """Name of a frame, counted from 1, without its suffix."""
        return f"S{self.person + 1:03d}_{self.number:03d}_{frame:08d}"

    @property
    def folder(self) -> str:
        """Where the authors keep it."""
        return f"S{self.person + 1:03d}/{self.number:03d}"


def write(folder: Path, people: int = PEOPLE, seed: int = 0) -> None:
    """The authors' layout: `cohn-kanade-images/S001/001/S001_001_00000001.png`, `Emotion/S001/001/S001_001_00000006_emotion.txt`.

    Every other person's last sequence is unlabelled: it has no emotion file, and with every eighth person one that holds 0.

    Args:
        folder: does not exist yet.
        people: how many; from 2 on each expression is there, from 8 on each code.
        seed: of people and pictures.
    """
    for sequence, frames in _drawn(_sequences(people), len(INTENSITIES), seed, SIDE, "portrait"):
        for frame, pixels in frames:
            _write(folder / "cohn-kanade-images" / sequence.folder / f"{sequence.stem(frame)}.png", png(pixels))
        if sequence.code is not None:
            emotion = f"{sequence.stem(len(INTENSITIES))}_emotion.txt"
            _write(folder / "Emotion" / sequence.folder / emotion, f"   {sequence.code:.7e}\n".encode())


def write_ck48(folder: Path, people: int = PEOPLE, seed: int = 0) -> None:
    """The layout of the copy on Kaggle: `CK+48/<class>/S001_001_00000004.png`, the last three frames of the same labelled sequences, 48x48 pixels."""
    labelled = [sequence for sequence in _sequences(people) if sequence.code]
    for sequence, frames in _drawn(labelled, LAST_FRAMES, seed, 48, "crop"):
        for frame, pixels in frames:
            _write(folder / "CK+48" / FOLDERS[sequence.expression] / f"{sequence.stem(frame)}.png", png(pixels))


def _sequences(people: int) -> list[Sequence]:
    """Expressions go round the people, so that each is there about as often."""
    expressions, sequences = list(FOLDERS), []
    for person in range(people):
        for place in range(SEQUENCES_A_PERSON):
            expression = expressions[(person * SEQUENCES_A_PERSON + place) % len(expressions)]
            sequences.append(Sequence(person, place + 1, expression, INTENSITIES, ckplus.CODES.index(expression)))
        if person % 2:
            weak = tuple(UNCLEAR * intensity for intensity in INTENSITIES)
            code = 0 if person % 8 == 7 else None
            sequences.append(
                Sequence(person, SEQUENCES_A_PERSON + 1, expressions[person % len(expressions)], weak, code)
            )
    return sequences


def _drawn(
    sequences: list[Sequence], last: int, seed: int, size: int, framing: str
) -> Iterator[tuple[Sequence, list[tuple[int, np.ndarray]]]]:
    """Each sequence with its last frames, (number, picture) each."""
    for sequence in tqdm(sequences, desc="drawing sequences", unit="sequence", mininterval=2):
        identity = drawing.draw_identity(np.random.default_rng([seed, 0, sequence.person]))
        frames = []
        for frame, intensity in list(enumerate(sequence.intensities, start=1))[-last:]:
            # The same numbers for each frame: pose, light and background stay as they are while the expression grows.
            random = np.random.default_rng([seed, 1, sequence.person, sequence.number])
            frames.append(
                (frame, drawing.draw_face(identity, sequence.expression, intensity, size, random, 1, framing))
            )
        yield sequence, frames


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
