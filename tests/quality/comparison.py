"""What a listener was given, aligned with what the talker sent: delays of its segments, and gaps."""

from dataclasses import dataclass

import numpy as np
import voice_codecs
from exchange import Stream
from scipy.signal import correlate
from voice_codecs import SAMPLES

from speech import RATE

MARGIN = int(0.3 * RATE)
"""Samples of silence before and after a clip that are scored with it."""
LONGEST_DELAY = 1.0
"""Seconds within which a segment is looked for."""
WINDOW, STEP = int(0.24 * RATE), int(0.1 * RATE)
"""How long a segment is, and how far apart segments start."""
ALIKE = 0.7
"""Normalised correlation from which a segment is taken to be found."""
AUDIBLE = 10 ** (-45 / 20)
"""RMS from which a segment is speech."""


@dataclass
class Recording:
    """What came to a listener, by its RTP time stamps."""

    samples: np.ndarray
    arrivals: np.ndarray
    """For each 20 ms of it, when the packet came, in seconds of the wall clock; NaN where none did."""
    missing: int
    """Packets that the sequence numbers miss."""


@dataclass
class Segment:
    """A segment of speech that was followed through the daemon."""

    time: float
    """Its middle, in seconds after the talker's first packet."""
    lag: int
    """Samples between its place in what the talker's packets carry and its place in the recording."""
    delays: list[float]
    """Seconds from the packet that brought it to the packet that carried it on; none where the network lost the former."""
    end_to_end: float
    """Seconds from when the talker's packet was due to the packet that carried it on."""


def recording(stream: Stream) -> Recording:
    """Orders and decodes what a listener was sent."""
    codec = stream.codec
    packets = {}
    first = None
    numbers = []
    for at, datagram in stream.received:
        if len(datagram) < 13 or datagram[1] & 0x7F != codec.payload_type:
            continue
        timestamp = int.from_bytes(datagram[4:8], "big")
        first = timestamp if first is None else first
        slot = ((timestamp - first + (1 << 31) & 0xFFFFFFFF) - (1 << 31)) // codec.ticks
        packets.setdefault(slot, (at / 1e9, datagram[12:]))
        numbers.append(int.from_bytes(datagram[2:4], "big"))
    assert packets, "the listener was sent nothing"
    slots = range(max(packets) + 1)
    missing = sum((after - before - 1) % 65536 for before, after in zip(numbers, numbers[1:]))
    samples = voice_codecs.decode(codec.name, [packets[slot][1] if slot in packets else None for slot in slots])
    return Recording(samples, np.array([packets[slot][0] if slot in packets else np.nan for slot in slots]), missing)


class Comparison:
    """One call: its talker, and what its listener was given."""

    def __init__(self, talker: Stream, listener: Stream) -> None:
        self.talker = talker
        self.recording = recording(listener)
        self.carried = voice_codecs.decode(talker.codec.name, list(talker.payloads))
        spacing = voice_codecs.PACKET_SECONDS * talker.clock
        starts = [at / 1e9 - talker.late[number] - number * spacing for number, at in talker.sent.items()]
        self.start = float(np.median(starts))
        """When the talker's first packet was due, in seconds of the wall clock."""
        slots = np.arange(len(self.recording.arrivals)) * voice_codecs.PACKET_SECONDS
        self.offset = float(np.nanmedian(self.recording.arrivals - slots)) - self.start
        """Seconds between the start of the talker's packets and that of the recording, if nothing were ever late."""

    def lags(self, clock_drift: float = 0.0) -> tuple[int, int]:
        """Lags among which a segment must be found."""
        first = int((-self.offset + clock_drift - 0.02) * RATE)
        return first, first + int(LONGEST_DELAY * RATE)

    def find(self, reference: np.ndarray, place: int) -> tuple[int, float]:
        """The lag of a part of the reference that stands at `place` there, and how alike it is."""
        drift = (self.talker.clock - 1) * place / RATE
        first, last = self.lags(drift)
        begin, end = place + first, place + last + len(reference)
        around = taken(self.recording.samples, begin, end)
        products = correlate(around, reference, "valid", "fft")
        energy = np.concatenate([[0.0], np.cumsum(around**2)])
        norms = np.sqrt(np.maximum(energy[len(reference) :] - energy[: -len(reference)], 1e-9) * np.sum(reference**2))
        likeness = products / np.maximum(norms, 1e-9)
        # What is loud enough to be it: near silence may be alike by chance.
        best = int(np.argmax(products * (likeness > 0.3)))
        return first + best, float(likeness[best])

    def passage(self, clip: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray]:
        """The clip as reference, and the degraded signal aligned with it, both with a margin on either side."""
        lag, _ = self.find(clip, place)
        degraded = taken(self.recording.samples, place + lag - MARGIN, place + lag + len(clip) + MARGIN)
        return np.pad(clip, MARGIN), degraded

    def segments(self, begin: float) -> list[Segment]:
        """Follows the speech from `begin` on, in seconds after the talker's first packet, segment by segment."""
        found = []
        for place in range(int(begin * RATE), len(self.carried) - WINDOW, STEP):
            reference = self.carried[place : place + WINDOW]
            if rms(reference) < AUDIBLE:
                continue
            lag, likeness = self.find(reference, place)
            if likeness >= ALIKE:
                found.append(self._timed(place, lag))
        return [segment for segment in found if segment is not None]

    def _timed(self, place: int, lag: int) -> Segment | None:
        delays, end_to_end = [], []
        # Samples of all phases within the packets of either side.
        for sample in range(place + WINDOW // 2, place + WINDOW // 2 + SAMPLES, SAMPLES // 16):
            number, slot = sample // SAMPLES, (sample + lag) // SAMPLES
            if not 0 <= slot < len(self.recording.arrivals) or np.isnan(self.recording.arrivals[slot]):
                continue
            out = self.recording.arrivals[slot]
            end_to_end.append(out - self.start - number * voice_codecs.PACKET_SECONDS * self.talker.clock)
            if number in self.talker.sent:
                delays.append(out - self.talker.sent[number] / 1e9)
        if not end_to_end:
            return None
        return Segment((place + WINDOW // 2) / RATE, lag, delays, float(np.mean(end_to_end)))

    def gaps(self, segments: list[Segment], begin: float) -> int:
        """Silences of 20 ms and more in what is speech in the reference, from `begin` on in seconds: by 10 ms, 25 dB below the reference and
        below -50 dBov, at the lag of the nearest segment that was found."""
        if not segments:
            return 1
        times = np.array([segment.time for segment in segments])
        count, run, size = 0, 0, RATE // 100
        for at in range(int(begin * RATE), len(self.carried) - size, size):
            reference = rms(self.carried[at : at + size])
            lag = segments[int(np.argmin(np.abs(times - at / RATE)))].lag
            degraded = rms(taken(self.recording.samples, at + lag, at + lag + size))
            silent = reference > 10 ** (-40 / 20) and degraded < min(reference * 10 ** (-25 / 20), 10 ** (-50 / 20))
            run = run + 1 if silent else 0
            count += run == 2
        return count


def rms(samples: np.ndarray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(samples**2)))


def taken(samples: np.ndarray, begin: int, end: int) -> np.ndarray:
    """A part of a signal that is silent before its beginning and after its end."""
    part = samples[max(begin, 0) : max(end, 0)]
    return np.pad(part, (min(max(-begin, 0), end - begin), 0))[: end - begin] if begin < 0 else np.pad(part, (0, end - begin - len(part)))
