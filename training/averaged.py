"""What every training here shares: a network under AdamW, the mean of its weights, and a clock.

The rate falls along a cosine over the time of the run, forward passes run in bfloat16, and what counts in
the end is the mean of the weights over the last steps (Polyak and Juditsky 1992).
"""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

Item = TypeVar("Item")

DECAY = 0.01
LARGEST_STEP = 10.0
TELL_EVERY_S = 60
PAUSE_S = 60
"""A step that took longer counts as this long: the machine slept or was busy with something else."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a network is trained.

    Attributes
    ----------
    rate
        The highest learning rate.
    last_share
        Share of it that is left at the end.
    warm_up_steps
        Steps in which it rises from nothing.
    averaged
        Share of the mean of weights that stays at each step.
    memory
        AdamW's share of the squared gradients' mean that stays at each step.
    """

    rate: float
    last_share: float
    warm_up_steps: int
    averaged: float
    memory: float = 0.999


class AveragedNetwork:
    """A network in training, and the mean of its weights over the last steps.

    Parts that take no gradient when this is made stay as they are.

    Attributes
    ----------
    network, average
        Both, as torch modules.
    steps
        How many were taken.
    """

    def __init__(self, network: Any, schedule: Schedule) -> None:  # noqa: ANN401 - untyped
        self._torch = torch = import_module("torch")
        self._schedule = schedule
        self.average = copy.deepcopy(network).eval()
        self.network = network.to(memory_format=torch.channels_last)
        self._learning = [part for part in self.network.parameters() if part.requires_grad]
        groups = [
            {"params": [part for part in self._learning if part.ndim > 1], "weight_decay": DECAY},
            # Biases and batch norms are not drawn towards nothing.
            {"params": [part for part in self._learning if part.ndim <= 1], "weight_decay": 0.0},
        ]
        self._optimizer = torch.optim.AdamW(groups, lr=schedule.rate, betas=(0.9, schedule.memory))
        self.steps = 0

    def forward(self, views: NDArray[np.uint8]) -> Any:  # noqa: ANN401 - ultralytics is untyped
        """Return the network's output for RGB pictures ``[batch, height, width, 3]``."""
        torch = self._torch
        images = torch.from_numpy(views).permute(0, 3, 1, 2).float().div_(255)
        with torch.autocast("cpu", torch.bfloat16):
            return self.network(images.to(memory_format=torch.channels_last))

    def step(self, loss: Any, done: float) -> None:  # noqa: ANN401 - a tensor
        """Take one step down ``loss`` with ``done`` of the time over, 0..1."""
        left = self._schedule.last_share
        share = left + (1 - left) * (1 + math.cos(math.pi * done)) / 2
        share *= min(1.0, (self.steps + 1) / self._schedule.warm_up_steps)
        for group in self._optimizer.param_groups:
            group["lr"] = self._schedule.rate * share
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._torch.nn.utils.clip_grad_norm_(self._learning, LARGEST_STEP)
        self._optimizer.step()
        self.steps += 1
        keep = min(self._schedule.averaged, self.steps / (self.steps + 9))
        states = (self.average.state_dict().values(), self.network.state_dict().values())
        for mean, now in zip(*states, strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - keep)
            else:
                mean.copy_(now)

    def keep(self, target: Path, spent: float) -> None:
        """Write all that going on needs; an interruption leaves the old file or the new one."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "steps": self.steps,
            "spent": spent,
        }
        beside = target.with_suffix(".tmp")
        self._torch.save(state, beside)
        beside.replace(target)

    def go_on(self, source: Path) -> float:
        """Take up what `keep` wrote; return the seconds that were spent."""
        state = self._torch.load(source, map_location="cpu", weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.steps = state["steps"]
        return float(state["spent"])


def timed(items: Iterable[Item], minutes: float, spent: float = 0.0) -> Iterator[tuple[Item, float]]:
    """Yield items with the seconds spent until so many minutes are over; long pauses hardly count."""
    before = time.monotonic()
    for item in items:
        now = time.monotonic()
        spent, before = spent + min(now - before, PAUSE_S), now
        if spent >= minutes * 60:
            return
        yield item, spent
