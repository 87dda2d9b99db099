"""Rounds that either side has in turn, their medians, and what is wanted of them."""

import statistics
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from bounds import Bound

Side, Round = TypeVar("Side"), TypeVar("Round")


@dataclass(frozen=True)
class Want(Bound):
    """A figure, and what it should be."""

    what: str
    value: float

    def kept(self) -> bool:
        """Whether it is what it should be."""
        return self.holds(self.value, self.wanted())

    def line(self) -> str:
        """For the end of the report."""
        return f"{'holds ' if self.kept() else 'MISSED'} {self.what}: {self.value:.3g}, wanted {self.sign()} {self.wanted():g}"


@dataclass
class Result:
    """Of one part."""

    lines: list[str]
    wants: list[Want]
    figures: dict = field(default_factory=dict)
    """Everything, for the JSON."""


def interleaved(sides: dict[str, Side], rounds: int, play: Callable[[Side], Round]) -> dict[str, list[Round]]:
    """Plays a round of each side, then the next: what else the machine does meets both alike."""
    found = {name: [] for name in sides}
    for number in range(rounds):
        for name, side in sides.items():
            progress(f"  round {number + 1} of {rounds}: {name}")
            found[name].append(play(side))
    return found


def median(values: Iterable[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """Of the medians."""
    return median(ours) / max(median(theirs), 1e-9)


def spread(values: Iterable[float], form: str) -> str:
    """A median, with the least and the most."""
    ordered = sorted(values)
    return f"{median(ordered):{form}} ({ordered[0]:{form}} to {ordered[-1]:{form}})"


def progress(text: str) -> None:
    """Progress, beside the tables."""
    print(text, file=sys.stderr, flush=True)
