"""A meeting of 40 of whom few talk, in rooms with noise, in the daemon and in Janus's mixer: the same packets at the same pace."""

import contextlib
from argparse import Namespace
from dataclasses import asdict

import janus
import numpy as np
import voice_codecs
from bridge import speech
from exchange import Stream
from gateway import Gateway
from measurement import Cost, measured, outcome
from phone import Phone
from rounds import Result, Want, interleaved, ratio, spread
from scipy.signal import lfilter
from server import Server
from voice_codecs import CODECS, PACKET_SECONDS

from speech import RATE, clips

MEMBERS = 40
NOISE = -55.0
"""Level of each room's noise, in dBov."""
SETTLING = 10.0
"""Seconds before anything counts: 40 entries, prompts, the first filling of jitter buffers, the choice of speakers."""
ROOM_RATE = 16000
"""Sampling rate of Janus's room, in Hz."""
AT_MOST = {3: 0.20, 4: 0.9}
"""Share of Janus's CPU that is wanted, by how many talk."""


class Crowd:
    """Forty phones: `codecs` by turns. Everybody has noise, and the first few speak above it without a pause."""

    def __init__(self, talkers: int, seconds: float, codecs: tuple[str, ...]) -> None:
        self._seconds = seconds
        spoken = clips()
        length = int((SETTLING + seconds + 0.5) / PACKET_SECONDS)
        self._parts = []
        for number in range(MEMBERS):
            codec = codecs[number % len(codecs)]
            signal = noise(number, length)
            if number < talkers:
                signal = signal + speech(spoken, number, length)
            self._parts.append((CODECS[codec], voice_codecs.encode(codec, signal)[:length]))

    def round(self, server: Server) -> Cost:
        """All come, play, leave."""
        parties = []
        for number, (codec, payloads) in enumerate(self._parts):
            phone = Phone(f"member{number}", codec)
            server.connect(phone, 0)
            parties.append((phone, Stream(codec, payloads, [0.0] * len(payloads), number * PACKET_SECONDS / MEMBERS)))
        cost = measured(server, parties, SETTLING, self._seconds)
        for phone, _ in parties:
            server.disconnect(phone)
        return cost


def noise(seed: int, packets: int) -> np.ndarray:
    """Noise of a room: by 6 dB an octave less above 500 Hz, another in each room."""
    white = np.random.default_rng(seed).standard_normal(packets * int(RATE * PACKET_SECONDS))
    pole = np.exp(-2 * np.pi * 500 / RATE)
    coloured = lfilter([1 - pole], [1, -pole], white)
    return coloured * 10 ** (NOISE / 20) / np.sqrt(np.mean(coloured**2))


def compare(options: Namespace) -> Result:
    """With three talkers and with four, either side in turn; and what half of the phones by G.722 cost here."""
    result = Result([], [])
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(Gateway(1, options.real_time))
        mixer = stack.enter_context(janus.Janus(1, options.real_time, ROOM_RATE))
        for talkers, bound in AT_MOST.items():
            crowds = {"opus": Crowd(talkers, options.seconds, ("opus",)), "half G.722": Crowd(talkers, options.seconds, ("g722", "opus"))}
            # Janus's mixer has no G.722.
            sides = {"roomgate": (gateway, "opus"), "janus": (mixer, "opus"), "roomgate, half G.722": (gateway, "half G.722")}
            found = interleaved(sides, options.rounds, lambda side: crowds[side[1]].round(side[0]))
            result.lines.append(f"{MEMBERS} members, noise at {NOISE:g} dBov in all rooms, {talkers} talk, {options.seconds:g} s; room of Janus at 16 kHz")
            result.lines += [row(name, costs) for name, costs in found.items()]
            share = ratio((cost.cores for cost in found["roomgate"]), (cost.cores for cost in found["janus"]))
            result.wants.append(Want(f"a meeting of {MEMBERS}, {talkers} talk, of Janus's CPU", share, at_most=bound))
            missed = sum(cost.gaps + cost.missing for name, costs in found.items() if name != "janus" for cost in costs)
            result.wants.append(Want(f"a meeting of {MEMBERS}, {talkers} talk, gaps and missing packets", missed, at_most=0))
            result.figures[f"{talkers} talkers"] = {name: [asdict(cost) for cost in costs] for name, costs in found.items()}
    return result


def row(name: str, costs: list[Cost]) -> str:
    """One side: the medians, and the least and the most of the CPU."""
    percent = spread((100 * cost.cores for cost in costs), ".1f")
    return f"  {name:<21} {percent} % of a core; {outcome(costs)}"
