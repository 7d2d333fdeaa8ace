"""Images that stand more than once in a data set. Pixels are uint8 (n, side, side, channels)."""

import hashlib

import numpy as np
import pandas as pd


def pixel_hashes(pixels: np.ndarray) -> pd.Series:
    """One hash an image, the same for the same decoded pixels, whatever the file."""
    return pd.Series([hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in pixels], dtype="string")


def copies_in_train(table: pd.DataFrame, hashes: pd.Series) -> pd.Series:
    """For each row outside the training set, whether the training set holds an exact copy of it; False inside it."""
    in_train = (table["split"] == "train").to_numpy(bool, na_value=False)
    return hashes.isin(set(hashes[in_train])) & ~in_train
