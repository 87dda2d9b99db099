"""What a server takes of the CPU while phones send, and what the listeners miss meanwhile."""

import threading
import time
from dataclasses import dataclass

from exchange import Lateness, Stream, run
from phone import Phone
from server import Server

GAP = 60_000_000
"""Nanoseconds without a packet that are a gap: two of 20 ms are missing, or came that late."""


@dataclass(frozen=True)
class Cost:
    """Of one round."""

    cores: float
    """CPU seconds of the server's threads in a second."""
    waited: float
    """Seconds in a second in which threads of the server could have run and had no CPU."""
    received: int
    """Packets to all listeners."""
    missing: int
    """Sequence numbers that listeners were not sent."""
    gaps: int
    """Times at which a listener was sent nothing for `GAP`."""
    opus_kbit: float
    """Mean bit rate of the Opus that was sent, without headers."""
    opus_stereo: bool
    """Whether any of it was stereo, by the TOC octet (RFC 6716 section 3.1)."""
    lateness: Lateness


class Window(threading.Thread):
    """Reads the server's CPU time at two moments of an exchange, so that neither set-up nor prompts count."""

    def __init__(self, server: Server, after: float, seconds: float) -> None:
        super().__init__()
        self._server, self._after, self._seconds = server, after, seconds
        self.begin = self.end = 0
        """In nanoseconds of the wall clock."""
        self.cores = self.waited = 0.0

    def run(self) -> None:
        time.sleep(self._after)
        self.begin, cpu, waited = time.time_ns(), self._server.cpu_seconds(), self._server.waited_seconds()
        time.sleep(self._seconds)
        self.end, cpu, waited = time.time_ns(), self._server.cpu_seconds() - cpu, self._server.waited_seconds() - waited
        lasted = (self.end - self.begin) / 1e9
        self.cores, self.waited = cpu / lasted, waited / lasted


def measured(server: Server, parties: list[tuple[Phone, Stream]], settling: float, seconds: float) -> Cost:
    """Sends everything; what counts is from `settling` on, for so many seconds."""
    window = Window(server, settling, seconds)
    window.start()
    lateness = run(parties)
    window.join()
    received, missing, gaps, octets, packets, stereo = 0, 0, 0, 0, 0, False
    for _, stream in parties:
        heard = [(at, datagram) for at, datagram in stream.received if window.begin <= at < window.end]
        heard = [(at, datagram) for at, datagram in heard if datagram[1] & 0x7F == stream.codec.payload_type]
        received += len(heard)
        lost, silent = interruptions(heard, window.begin, window.end)
        missing, gaps = missing + lost, gaps + silent
        if stream.codec.name == "opus":
            packets += len(heard)
            octets += sum(len(datagram) - 12 for _, datagram in heard)
            stereo |= any(datagram[12] & 4 for _, datagram in heard if len(datagram) > 12)
    kbit = octets * 8 / 20 / max(packets, 1)
    return Cost(window.cores, window.waited, received, missing, gaps, kbit, bool(stereo), lateness)


def interruptions(heard: list[tuple[int, bytes]], begin: int, end: int) -> tuple[int, int]:
    """Packets that are missing by their sequence numbers, and gaps in their arrivals."""
    numbers = [int.from_bytes(datagram[2:4], "big") for _, datagram in heard]
    missing = sum((after - before - 1) % 65536 for before, after in zip(numbers, numbers[1:]))
    times = [begin, *(at for at, _ in heard), end]
    return missing, sum(after - before > GAP for before, after in zip(times, times[1:]))


def outcome(costs: list[Cost]) -> str:
    """What came to the listeners of all rounds, and the longest that the server had no CPU."""
    kbit = sum(cost.opus_kbit for cost in costs) / len(costs)
    missed = f"{sum(cost.gaps for cost in costs)} gaps, {sum(cost.missing for cost in costs)} missing of {sum(cost.received for cost in costs)}"
    return f"Opus {kbit:.1f} kbit/s; {missed}; waited at most {max(100 * cost.waited for cost in costs):.1f} %"
