"""Ten calls through the daemon under one condition: who says what, and what each listener was sent."""

from dataclasses import dataclass

import numpy as np

import voice_codecs
from attack import SdesKey
from conditions import SETTLING, Condition
from exchange import Lateness, Stream, run
from phone import Phone
from server import Server
from speech import RATE
from voice_codecs import CODECS

PAUSE = 0.6
"""Seconds of silence after each clip."""


@dataclass
class Call:
    """One talker, one listener."""

    talker: Stream
    listener: Stream
    places: list[tuple[int, int]]
    """At which sample of the talker's signal which clip starts."""
    concealed: float = 0.0
    """Seconds that the daemon made up."""


@dataclass
class Played:
    """A condition that was played."""

    calls: list[Call]
    lateness: Lateness
    cpu: float
    """Share of one core that the daemon took."""
    waited: float
    """Seconds in a second in which threads of the daemon could have run and had no CPU."""

    def disturbed(self) -> bool:
        """Whether something else had the CPU so often that the delays, and the scores, tell more of that than of the daemon."""
        return self.lateness.p99 > 2 or self.lateness.stolen > 0.02 or self.waited > 0.12


def play(server: Server, condition: Condition, clips: list[np.ndarray], seed: int, passes: int) -> Played:
    """Places the calls, plays, hangs up."""
    signals = [signal(clips, number, condition, passes) for number in range(len(clips))]
    phones, calls = [], []
    for number, (samples, places) in enumerate(signals):
        key = SdesKey() if condition.attack else None
        pair = [Phone(f"talker{number}", CODECS[condition.talker], key), Phone(f"listener{number}", CODECS[condition.listener])]
        for phone in pair:
            server.connect(phone, number)
        spoken = voice_codecs.encode(condition.talker, samples, condition.expected_loss)
        silence = voice_codecs.encode(condition.listener, np.zeros(len(samples)))
        # All calls, and both phones of each, at phases of their own within the 20 ms of a packet.
        phase = number * 0.002
        clock = 1 + condition.clock_ppm / 1e6 * (1 if number % 2 else -1)
        late = condition.network.plan(1000 * seed + number, len(spoken))
        talker = Stream(pair[0].codec, spoken, late, phase, clock, attack=condition.attack / len(clips))
        listener = Stream(pair[1].codec, silence, [0.0] * len(silence), phase + 0.001)
        phones.append(pair)
        calls.append(Call(talker, listener, places))
    streams = [(phone, stream) for pair, call in zip(phones, calls) for phone, stream in zip(pair, (call.talker, call.listener))]
    cpu, waited = server.cpu_seconds(), server.waited_seconds()
    lateness = run(streams)
    duration = max(len(samples) for samples, _ in signals) / RATE
    played = Played(calls, lateness, (server.cpu_seconds() - cpu) / duration, (server.waited_seconds() - waited) / duration)
    for call, concealed in zip(calls, server.concealed([talker for talker, _ in phones])):
        call.concealed = concealed
    for phone, _ in streams:
        server.disconnect(phone)
    return played


def signal(clips: list[np.ndarray], number: int, condition: Condition, passes: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """What the talker of a call says, and at which sample which clip starts."""
    at = int(SETTLING * RATE)
    end = at + int(condition.speech * RATE)
    parts, places, turn = [np.zeros(at)], [], number
    while at < end if condition.speech else len(places) < passes:
        clip = clips[turn % len(clips)]
        places.append((at, turn % len(clips)))
        parts += [clip, np.zeros(int(PAUSE * RATE))]
        at += len(parts[-2]) + len(parts[-1])
        turn += 1 if condition.speech else 0
    return np.concatenate(parts), places
