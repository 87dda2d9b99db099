"""The network between a talker and the daemon, as a pure function of seed and packet number: every run loses the same packets."""

import hashlib
from dataclasses import dataclass

PACKET_SECONDS = 0.02


@dataclass(frozen=True)
class Impairment:
    """What happens to the packets of one talker. Without arguments: nothing."""

    loss: float = 0.0
    """Share of packets that never come."""
    burst: float = 1.0
    """Mean length of a run of lost packets: 1 for independent losses, more for a Gilbert model of two states."""
    jitter: float = 0.0
    """Seconds: each packet is late by a uniform 0 to twice this, and none overtakes another (a queue)."""
    reordered: float = 0.0
    """Share of packets that are held back by REORDERING, so that the next one or two overtake them."""
    delay_steps: tuple[tuple[float, float], ...] = ()
    """From which second on the path is how many seconds longer; none overtakes another."""
    outage: tuple[float, float] | None = None
    """From which second to which nothing comes."""

    def plan(self, seed: int, packets: int) -> list[float | None]:
        """For each packet how many seconds it is late, or `None` where it is lost."""
        late, lost, last = [], False, 0.0
        for number in range(packets):
            due = number * PACKET_SECONDS
            lost = uniform(seed, number, "loss") < self._loss_after(lost)
            arrival = due + self._step(due) + 2 * self.jitter * uniform(seed, number, "jitter")
            # A lost packet holds up nobody.
            if not lost:
                arrival = last = max(arrival, last)
            if uniform(seed, number, "order") < self.reordered:
                arrival += REORDERING
            gone = lost or self.outage is not None and self.outage[0] <= due < self.outage[1]
            late.append(None if gone else arrival - due)
        return late

    def _loss_after(self, lost: bool) -> float:
        """The Gilbert model: leaving a run with 1/burst, entering so that `loss` of all are lost."""
        if self.burst <= 1 or self.loss == 0:
            return self.loss
        leave = 1 / self.burst
        return 1 - leave if lost else leave * self.loss / (1 - self.loss)

    def _step(self, time: float) -> float:
        return next((delay for start, delay in reversed(self.delay_steps) if time >= start), 0.0)


REORDERING = 0.03


def uniform(seed: int, number: int, purpose: str) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.blake2b(f"{seed} {number} {purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
