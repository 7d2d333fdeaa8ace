"""Faces by split: the same from the same seed, nobody in two splits, expressions as often as told."""

from collections import Counter

import numpy as np

from fer_helpers.drawn import drawing, faces

CHANCES = {"neutral": 0.25, "happy": 0.25, "sad": 0.25, "anger": 0.25}


def test_faces_are_the_same_again_from_the_same_seed_and_others_from_another():
    def drawn(seed: int) -> list[tuple]:
        return [
            (face.expression, face.person, face.pixels.tobytes())
            for face in faces.draw_faces({"train": 12}, CHANCES, seed)
        ]

    assert drawn(1) == drawn(1)
    assert not {pixels for *_, pixels in drawn(1)} & {pixels for *_, pixels in drawn(2)}


def test_no_person_is_in_two_splits(monkeypatch):
    shown = []
    monkeypatch.setattr(
        drawing, "draw_face", lambda identity, *_: shown.append(identity) or np.zeros((48, 48, 1), "uint8")
    )
    people: dict[str, set] = {"train": set(), "val": set(), "test": set()}
    for face in faces.draw_faces({"train": 80, "val": 40, "test": 40}, CHANCES, seed=0):
        people[face.split].add(shown[-1])
    assert {split: len(identities) for split, identities in people.items()} == {
        "train": 10,
        "val": 5,
        "test": 5,
    }  # 8 pictures each
    assert len(set.union(*people.values())) == 10 + 5 + 5


def test_each_expression_has_its_share_of_the_images():
    drawn = faces.draw_faces({"val": 40}, {"happy": 0.5, "sad": 0.25, "fear": 0.25}, seed=0)
    assert Counter(face.expression for face in drawn) == {"happy": 20, "sad": 10, "fear": 10}
