"""Ten calls through the daemon under one condition: what each talker sends, and what each listener was sent."""

from dataclasses import dataclass

import numpy as np
import voice_codecs
from attack import SdesKey
from conditions import SETTLING, Condition
from exchange import Lateness, Stream, run
from phone import Phone
from server import Server
from voice_codecs import CODECS, PACKET_SECONDS

from speech import RATE

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
        """Whether something else had the CPU so often that delays and scores measure that and not the daemon."""
        return self.lateness.p99 > 2 or self.lateness.stolen > 0.02 or self.waited > 0.12


def play(server: Server, condition: Condition, clips: list[np.ndarray], seed: int, passes: int) -> Played:
    """Places the calls, plays, hangs up."""
    calls = prepared(condition, clips, seed, passes)
    parties, talkers = [], []
    for number, call in enumerate(calls):
        key = SdesKey() if condition.attack else None
        talker, listener = Phone(f"talker{number}", call.talker.codec, key), Phone(f"listener{number}", call.listener.codec)
        for phone, stream in ((talker, call.talker), (listener, call.listener)):
            server.connect(phone, number)
            parties.append((phone, stream))
        talkers.append(talker)
    cpu, waited = server.cpu_seconds(), server.waited_seconds()
    lateness = run(parties)
    duration = max(len(call.talker.payloads) for call in calls) * PACKET_SECONDS
    played = Played(calls, lateness, (server.cpu_seconds() - cpu) / duration, (server.waited_seconds() - waited) / duration)
    for call, concealed in zip(calls, server.concealed(talkers)):
        call.concealed = concealed
    for phone, _ in parties:
        server.disconnect(phone)
    return played


def prepared(condition: Condition, clips: list[np.ndarray], seed: int, passes: int) -> list[Call]:
    """What all phones will send, coded beforehand: calls are then placed at once."""
    signals = [signal(clips, number, condition, passes) for number in range(len(clips))]
    longest = max(len(samples) for samples, _ in signals)
    silence = voice_codecs.encode(condition.listener, np.zeros(longest))
    calls = []
    for number, (samples, places) in enumerate(signals):
        payloads = voice_codecs.encode(condition.talker, samples, condition.expected_loss)
        # All calls, and both phones of each, at phases of their own within the 20 ms of a packet.
        phase = number * 0.002
        clock = 1 + condition.clock_ppm / 1e6 * (1 if number % 2 else -1)
        late = condition.network.plan(1000 * seed + number, len(payloads))
        talker = Stream(CODECS[condition.talker], payloads, late, phase, clock, attack=condition.attack / len(clips))
        listener = Stream(CODECS[condition.listener], silence[: len(payloads)], [0.0] * len(payloads), phase + 0.001)
        calls.append(Call(talker, listener, places))
    return calls


def signal(clips: list[np.ndarray], number: int, condition: Condition, passes: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """The signal of a call's talker, and at which sample which clip starts."""
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
