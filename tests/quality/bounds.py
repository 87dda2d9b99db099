"""What a figure should be."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Bound:
    """At least so much, or at most: one of the two."""

    at_least: float | None = None
    at_most: float | None = None

    def wanted(self) -> float:
        """What it should be."""
        return self.at_least if self.at_least is not None else self.at_most

    def holds(self, value: float, bound: float) -> bool:
        """Whether a figure keeps a bound of this kind; one that is not a number does not."""
        return value >= bound if self.at_least is not None else value <= bound

    def sign(self) -> str:
        """For reports."""
        return ">=" if self.at_least is not None else "<="
