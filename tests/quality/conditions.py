"""What is played through which network, and what must come of it."""

from dataclasses import dataclass, field

from bounds import Bound
from impairment import Impairment


@dataclass(frozen=True)
class Condition:
    """Ten calls at once: each talker's clip goes by one codec through the network, and by another to a listener on the clean side."""

    name: str
    talker: str
    listener: str
    network: Impairment = field(default_factory=Impairment)
    expected_loss: int = 0
    """In percent: what a browser's encoder is set to by RTCP."""
    speech: float = 0.0
    """All clips in turn for so many seconds; otherwise each call has one clip, as many times as there are passes."""
    clock_ppm: float = 0.0
    """The talkers' clocks are so much slow in one half of the calls, and fast in the other."""
    server: str = "roomgate"
    """Or `janus`, for comparison."""
    attack: float = 0.0
    """Forged and replayed packets a second, all calls together, whose talkers then send SRTP."""


SETTLING = 6.0
"""Seconds of silence before anybody speaks: entry, prompts, the first filling of the jitter buffers."""

STEP_UP, STEP_DOWN = SETTLING + 8.0, SETTLING + 16.0
OUTAGE = (SETTLING + 5.0, SETTLING + 8.0)

CONDITIONS = (
    # A room's phone, whose packets suffer; a browser listens.
    Condition("phone clean", "g722", "opus"),
    Condition("phone 5 %", "g722", "opus", Impairment(loss=0.05)),
    Condition("phone 5 % 30 ms", "g722", "opus", Impairment(loss=0.05, jitter=0.03)),
    Condition("phone 10 % 30 ms", "g722", "opus", Impairment(loss=0.10, jitter=0.03)),
    Condition("narrow clean", "pcmu", "opus"),
    Condition("phone attacked", "g722", "opus", attack=1000),
    # A browser, whose packets suffer; a room's phone listens.
    Condition("browser clean", "opus", "g722"),
    Condition("browser 5 %", "opus", "g722", Impairment(loss=0.05), expected_loss=5),
    Condition("browser 10 %", "opus", "g722", Impairment(loss=0.10), expected_loss=10),
    Condition("browser 5 % 30 ms", "opus", "g722", Impairment(loss=0.05, jitter=0.03), expected_loss=5),
    # The same for a browser that listens, beside Janus in turn: its mixer has no G.722.
    *(
        Condition(f"{name} {what}", "opus", "opus", network, loss, server=server)
        for what, network, loss in (
            ("5 % mixed", Impairment(loss=0.05), 5),
            ("bursts", Impairment(loss=0.05, burst=3), 5),
            ("reordered", Impairment(reordered=0.1), 0),
        )
        for name, server in (("browser", "roomgate"), ("janus", "janus"))
    ),
    # Time.
    Condition("clock 200 ppm", "g722", "opus", speech=60.0, clock_ppm=200),
    Condition("delay step", "g722", "opus", Impairment(delay_steps=((0, 0.04), (STEP_UP, 0.2), (STEP_DOWN, 0.04))), speech=28.0),
    Condition("outage", "g722", "opus", Impairment(outage=OUTAGE), speech=14.0),
)


COMPARED = {
    "phone attacked": "phone clean",
    "browser 5 % mixed": "janus 5 % mixed",
    "browser bursts": "janus bursts",
    "browser reordered": "janus reordered",
}
"""Whose `pesq_change` is the score less that of which other condition of the same run."""


@dataclass(frozen=True)
class Threshold(Bound):
    """What a figure must be; `reached`: what it is held to as long as that is not so, with the spread of some runs."""

    condition: str
    figure: str
    reached: float | None = None

    def bound(self) -> float:
        """What it is held to today."""
        return self.reached if self.reached is not None else self.wanted()


THRESHOLDS = (
    Threshold("phone clean", "pesq", at_least=4.15),
    Threshold("phone clean", "level", at_most=0.5),
    Threshold("phone clean", "delay_p50", at_most=30),
    Threshold("phone 5 % 30 ms", "pesq", at_least=3.4, reached=2.95),
    Threshold("phone 5 % 30 ms", "delay_p50", at_most=80),
    Threshold("phone 10 % 30 ms", "pesq", at_least=2.5, reached=2.2),
    Threshold("phone 10 % 30 ms", "delay_p50", at_most=80),
    Threshold("browser clean", "pesq", at_least=4.15, reached=4.05),
    Threshold("browser clean", "level", at_most=0.5),
    Threshold("browser clean", "delay_p50", at_most=30),
    Threshold("browser 5 %", "pesq", at_least=3.8),
    Threshold("browser 10 %", "pesq", at_least=3.4),
    Threshold("browser 5 % 30 ms", "delay_p50", at_most=80),
    # As much as two runs without an attack differ.
    Threshold("phone attacked", "pesq_change", at_least=-0.1),
    Threshold("browser 5 % mixed", "pesq_change", at_least=0, reached=-0.2),
    Threshold("browser bursts", "pesq_change", at_least=0, reached=-0.2),
    Threshold("browser reordered", "pesq_change", at_least=0),
    Threshold("clock 200 ppm", "gaps", at_most=0),
    Threshold("delay step", "return_ms", at_most=5000, reached=12000),
    Threshold("outage", "voice_after_ms", at_most=200),
)
