"""Images that stand more than once in a data set: exactly, or nearly."""

import hashlib

import cv2
import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors

THUMBNAIL = 16


def pixel_hashes(pixels: np.ndarray) -> pd.Series:
    """One hash an image, the same for the same decoded pixels, whatever the file; pixels uint8 (n, ...)."""
    return pd.Series([hashlib.sha256(image.tobytes()).hexdigest()[:16] for image in pixels], dtype="string")


def copies_in_train(table: pd.DataFrame, hashes: pd.Series) -> pd.Series:
    """For each row outside the training set, whether an exact copy of it stands in the training set; False inside it."""
    in_train = table["split"].to_numpy() == "train"
    return hashes.isin(set(hashes[in_train])) & ~in_train


def duplicate_groups(table: pd.DataFrame, hashes: pd.Series) -> pd.DataFrame:
    """The groups of two or more images with the same pixels.

    Returns:
        One row a group: `images` (how many), `splits` and `expressions` (those that occur, joined by '+'), `conflicting` (more than
        one expression), `crosses_splits`, `members` (their names, joined by spaces).
    """
    frame = table.assign(pixel_hash=hashes.to_numpy())
    frame = frame[frame["pixel_hash"].duplicated(keep=False)]
    groups = frame.groupby("pixel_hash", sort=True).agg(
        images=("image", "size"),
        splits=("split", lambda column: "+".join(sorted(set(column.fillna("none"))))),
        expressions=("expression", lambda column: "+".join(sorted(set(column)))),
        members=("image", " ".join),
    )
    groups["conflicting"] = groups["expressions"].str.contains("+", regex=False).astype(bool)
    groups["crosses_splits"] = groups["splits"].str.contains("+", regex=False).astype(bool)
    return groups.reset_index(drop=True)


def near_duplicates(pixels: np.ndarray, correlation: float = 0.98) -> pd.DataFrame:
    """Pairs of images whose 16x16 thumbnails correlate at least so much: copies that were re-encoded, brightened or moved a little.

    Args:
        pixels: uint8 (n, side, side, channels).
        correlation: Pearson's r of the grey values, at least.

    Returns:
        One row a pair: `first`, `second` (places in `pixels`, first < second), `correlation`.
    """
    thumbnails = _standardised_thumbnails(pixels)
    # For rows of mean 0 and length 1, squared distance = 2 - 2r.
    radius = np.sqrt(2 - 2 * correlation)
    neighbours = NearestNeighbors(radius=radius, algorithm="brute").fit(thumbnails)
    graph = neighbours.radius_neighbors_graph(mode="distance").tocoo()
    once = graph.row < graph.col
    pairs = {"first": graph.row[once], "second": graph.col[once], "correlation": 1 - graph.data[once] ** 2 / 2}
    return pd.DataFrame(pairs).sort_values(["first", "second"], ignore_index=True)


def near_duplicate_groups(pairs: pd.DataFrame, images: int) -> np.ndarray:
    """A group number for each of `images` images, equal for those that near-duplicate pairs join; int array (images,)."""
    from scipy.sparse import coo_array

    graph = coo_array((np.ones(len(pairs)), (pairs["first"], pairs["second"])), shape=(images, images))
    return connected_components(graph, directed=False)[1]


def _standardised_thumbnails(pixels: np.ndarray) -> np.ndarray:
    """Grey thumbnails as float32 (n, 256), each of mean 0 and length 1; a constant image becomes zeros, near to none but another."""
    grey = pixels.mean(axis=3).astype("float32")
    small = np.stack(
        [cv2.resize(image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA) for image in grey]
    ).reshape(len(grey), -1)
    centred = small - small.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 1.0)


def near_constant(pixels: np.ndarray, deviation: float = 5.0) -> np.ndarray:
    """Which images are nearly of one grey: standard deviation of the pixels below `deviation`, bool array (n,)."""
    return pixels.reshape(len(pixels), -1).std(axis=1) < deviation
