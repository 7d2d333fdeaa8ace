"""A training, features and streaming in PyTorch: `06_speed` asks for them, the Python of `make peers` runs this file.

A request is a line of JSON on stdin, a function of this module and its arguments; a line answers that it is done.
"""

import json
import os
import sys
from functools import cache

import numpy as np
import timm
import torch
import torchvision
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.datasets import ImageFolder
from torchvision.transforms import InterpolationMode, v2

WORKERS = len(os.sched_getaffinity(0))  # as many as the threads that ours has
WARP = v2.RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1), interpolation=InterpolationMode.BILINEAR)
AUGMENT = v2.Compose([v2.RandomHorizontalFlip(), WARP])


class Faces(Dataset):
    """Grey images of chance, kept as bytes, augmented and repeated to RGB when they are asked for."""

    def __init__(self, count: int, side: int):
        self.pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, 1, side, side), "uint8"))

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, int]:
        return AUGMENT(self.pixels[place]).expand(3, -1, -1), place % 7


@cache
def network(name: str, classes: int) -> torch.nn.Module:
    """A network of timm, random weights, its channels last."""
    return timm.create_model(name, num_classes=classes).to(memory_format=torch.channels_last)


@cache
def batches(data: str | int, count: int, batch_size: int) -> DataLoader:
    """Augmented batches of so many photographs of a folder, or faces of chance of a side; its workers stay."""
    decode = v2.Compose([v2.PILToTensor(), AUGMENT])
    faces = Subset(ImageFolder(data, decode), range(count)) if isinstance(data, str) else Faces(count, data)
    return DataLoader(faces, batch_size, shuffle=True, num_workers=WORKERS, persistent_workers=True)


def as_input(images: torch.Tensor) -> torch.Tensor:
    """Bytes (n, 3, side, side) as numbers around 0, channels last."""
    return images.to(torch.float32, memory_format=torch.channels_last).sub_(127).div_(128)


def train(name: str, side: int, count: int, batch_size: int) -> None:
    """One epoch on augmented faces."""
    model = network(name, 7).train()
    rule, loss = torch.optim.SGD(model.parameters(), 0.01), torch.nn.CrossEntropyLoss()
    for images, targets in batches(side, count, batch_size):
        rule.zero_grad()
        loss(model(as_input(images)), targets).backward()
        rule.step()


@torch.inference_mode()
def features(name: str, side: int, count: int, batch_size: int) -> None:
    """Features of faces in order, as they are."""
    model, pixels = network(name, 0).eval(), Faces(count, side).pixels
    for part in pixels.split(batch_size):
        model(as_input(part.expand(-1, 3, -1, -1)))


def stream(folder: str, count: int, batch_size: int) -> None:
    """Augmented batches of photographs, dropped."""
    for _ in batches(folder, count, batch_size):
        pass


def versions() -> str:
    """Name and version of each package."""
    return ", ".join(f"{module.__name__} {module.__version__}" for module in (torch, torchvision, timm))


if __name__ == "__main__":
    for line in sys.stdin:
        work, *arguments = json.loads(line)
        done = {"train": train, "features": features, "stream": stream, "versions": versions}[work](*arguments)
        print(done or "done", flush=True)
