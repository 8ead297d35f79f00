"""Data for the example programs beside this file: digits that are made here, as no example may need a network.

Imported by them in a pod, where it lies in the same folder: the standard library and NumPy only. Where the program is
given a folder that holds MNIST's own files, those are read in its place.
"""

from __future__ import annotations

import gzip
import os
import struct
from typing import Any

import numpy as np

# Five wide, seven high; rows from the top.
_GLYPHS = (
    "01110 10001 10011 10101 11001 10001 01110",
    "00100 01100 00100 00100 00100 00100 01110",
    "01110 10001 00001 00110 01000 10000 11111",
    "11111 00010 00100 00010 00001 10001 01110",
    "00010 00110 01010 10010 11111 00010 00010",
    "11111 10000 11110 00001 00001 10001 01110",
    "00110 01000 10000 11110 10001 10001 01110",
    "11111 00001 00010 00100 01000 01000 01000",
    "01110 10001 10001 01110 10001 10001 01110",
    "01110 10001 10001 01111 00001 00010 01100",
)
_SIDE, _SCALE = 28, 3
_IMAGES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
_LABELS = {"train": "train-labels-idx1-ubyte", "test": "t10k-labels-idx1-ubyte"}


def announce() -> None:
    """The first line of every example."""
    print(
        "This is a small program of Sampan's: it stands for the image's own, which is not pulled here.",
        flush=True,
    )


def digits(
    count: int, seed: int = 0, folder: str = "", part: str = "train", mistakes: float = 0.0
) -> tuple[Any, Any]:
    """`count` pictures of 28 by 28 bytes and what they show: MNIST's below `folder` if they are there, else made.
    `mistakes`: the share of those made that show something else, so that they are no easier to learn than MNIST's."""
    found = _mnist(folder, part)
    if found is not None:
        return found[0][:count], found[1][:count]
    print(f"Generating {count} digits ({part}).", flush=True)
    random = np.random.default_rng(seed + (part == "test"))
    labels = random.integers(0, 10, count)
    images = random.integers(0, 60, (count, _SIDE, _SIDE)).astype(np.uint8)
    glyphs = [
        np.kron(np.array([[int(dot) for dot in row] for row in glyph.split()]), np.ones((_SCALE, _SCALE)))
        for glyph in _GLYPHS
    ]
    for image, label in zip(images, labels):  # noqa: B905 - as old Pythons read it
        glyph = glyphs[label]
        top, left = random.integers(2, 6), random.integers(4, 10)
        ink = random.integers(150, 256)
        image[top : top + glyph.shape[0], left : left + glyph.shape[1]][glyph > 0] = ink
    wrong = random.random(count) < mistakes
    labels[wrong] = random.integers(0, 10, int(wrong.sum()))
    return images, labels.astype(np.int64)


def _mnist(folder: str, part: str) -> tuple[Any, Any] | None:
    """Where torchvision keeps them, or in the folder itself; packed or not."""
    for place in (folder, *(os.path.join(folder, name, "raw") for name in ("MNIST", "FashionMNIST"))):
        read = [_idx(os.path.join(place, names[part])) for names in (_IMAGES, _LABELS)] if folder else []
        if read and all(each is not None for each in read):
            return read[0], read[1].astype(np.int64)
    return None


def _idx(path: str) -> Any:
    """MNIST's own format: a magic number whose last byte says how many sizes follow, all big-endian."""
    for name, opener in ((path, open), (path + ".gz", gzip.open)):
        if os.path.exists(name):
            with opener(name, "rb") as file:
                content = file.read()
            sizes = struct.unpack_from(f">{content[3]}I", content, 4)
            return np.frombuffer(content, np.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)
    return None
