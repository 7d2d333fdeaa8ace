"""Images that stand more than once in a data set: exactly, or nearly. Pixels are uint8 (n, side, side, channels)."""

import hashlib

import cv2
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors


def pixel_hashes(pixels: np.ndarray) -> pd.Series:
    """One hash an image, the same for the same decoded pixels, whatever the file."""
    return pd.Series([hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in pixels], dtype="string")


def copies_in_train(table: pd.DataFrame, hashes: pd.Series) -> pd.Series:
    """For each row outside the training set, whether the training set holds an exact copy of it; False inside it."""
    in_train = table["split"].to_numpy() == "train"
    return hashes.isin(set(hashes[in_train])) & ~in_train


def duplicate_groups(table: pd.DataFrame, hashes: pd.Series) -> pd.DataFrame:
    """One row for each group of images with the same pixels: how many, splits and expressions joined by '+', names.

    Columns `images`, `splits`, `expressions`, `members`, `conflicting` (more expressions than one), `crosses_splits`.
    """
    again = hashes.duplicated(keep=False).to_numpy()
    rows = table.fillna({"split": "none"})[again].groupby(hashes[again].to_numpy())
    sets = rows[["split", "expression"]].agg(lambda column: "+".join(sorted(set(column))))
    groups = pd.DataFrame({"images": rows.size(), "splits": sets["split"], "expressions": sets["expression"]})
    groups["members"] = rows["image"].agg(" ".join)
    groups["conflicting"], groups["crosses_splits"] = rows["expression"].nunique() > 1, rows["split"].nunique() > 1
    return groups.reset_index(drop=True)


def near_duplicates(pixels: np.ndarray, correlation: float = 0.98) -> pd.DataFrame:
    """Pairs of images whose 16x16 thumbnails have at least this Pearson's r: re-encoded, brightened, moved a little.

    Columns `first` and `second` (places in `pixels`, first < second), `correlation`; an image of one grey has no pair.
    """
    grey = pixels.mean(axis=3).astype("float32")
    small = np.stack([cv2.resize(image, (16, 16), interpolation=cv2.INTER_AREA).ravel() for image in grey])
    small -= small.mean(axis=1, keepdims=True)
    length = np.linalg.norm(small, axis=1, keepdims=True)
    small = np.divide(small, length, out=np.zeros_like(small), where=length > 1)
    # For rows of mean 0 and length 1, squared distance = 2 - 2r.
    neighbours = NearestNeighbors(radius=np.sqrt(2 - 2 * correlation), algorithm="brute").fit(small)
    graph = neighbours.radius_neighbors_graph(mode="distance").tocoo()
    pairs = pd.DataFrame({"first": graph.row, "second": graph.col, "correlation": 1 - graph.data**2 / 2})
    return pairs[pairs["first"] < pairs["second"]].sort_values(["first", "second"], ignore_index=True)


def near_duplicate_groups(pairs: pd.DataFrame, images: int) -> np.ndarray:
    """A group number for each of `images` images, the same for those that near-duplicate pairs join."""
    graph = coo_array((np.ones(len(pairs)), (pairs["first"], pairs["second"])), shape=(images, images))
    return connected_components(graph, directed=False)[1]


def near_constant(pixels: np.ndarray, deviation: float = 5.0) -> np.ndarray:
    """Which images are nearly of one grey: standard deviation of the pixels below `deviation`, bool (n,)."""
    return pixels.reshape(len(pixels), -1).std(axis=1) < deviation
