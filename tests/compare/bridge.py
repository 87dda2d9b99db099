"""Calls between a G.722 phone and an Opus phone, through the daemon and through rtpengine: the same packets at the same pace."""

import contextlib
from argparse import Namespace
from dataclasses import asdict, replace

import numpy as np
import voice_codecs
from exchange import Stream
from gateway import Gateway
from measurement import Cost, measured, outcome
from phone import Phone
from rounds import Result, Want, interleaved, ratio, spread
from rtpengine import Rtpengine
from server import Server
from voice_codecs import CODECS, PACKET_SECONDS, Codec

from speech import RATE, clips

SETTLING = 6.0
"""Seconds before anything counts: entry, prompts, the first filling of jitter buffers."""

# Rtpengine gives the first dynamic payload type to what it transcodes to.
OPUS = replace(CODECS["opus"], payload_type=96)


class Bridge:
    """So many calls at once. Both sides speak without a pause: no silence makes the coding cheap."""

    def __init__(self, calls: int, seconds: float) -> None:
        self._calls, self._seconds = calls, seconds
        spoken = clips()
        length = int((SETTLING + seconds + 0.5) / PACKET_SECONDS)
        signals = [speech(spoken, first, length) for first in range(len(spoken))]
        self._payloads = {name: [voice_codecs.encode(name, signal)[:length] for signal in signals] for name in ("g722", "opus")}

    def round(self, server: Server) -> Cost:
        """Places the calls, plays, hangs up."""
        parties = []
        for number in range(self._calls):
            phones = [Phone(f"{codec.name}{number}", codec) for codec in (CODECS["g722"], OPUS)]
            server.connect_pair(*phones, number)
            # All over the 20 ms of a packet, both phones of a call apart.
            phase = number * PACKET_SECONDS / self._calls
            parties += [(phones[0], self._stream(phones[0].codec, number, phase))]
            parties += [(phones[1], self._stream(phones[1].codec, number + 1, (phase + PACKET_SECONDS / 2) % PACKET_SECONDS))]
        cost = measured(server, parties, SETTLING, self._seconds)
        for phone, _ in parties:
            server.disconnect(phone)
        return cost

    def _stream(self, codec: Codec, number: int, phase: float) -> Stream:
        choice = self._payloads[codec.name]
        payloads = choice[number % len(choice)]
        return Stream(codec, payloads, [0.0] * len(payloads), phase)


def speech(spoken: list[np.ndarray], first: int, packets: int) -> np.ndarray:
    """All clips one after the other, over and over, from one of them on."""
    order = spoken[first:] + spoken[:first]
    return np.resize(np.concatenate(order), packets * int(RATE * PACKET_SECONDS))


def compare(options: Namespace) -> Result:
    """Either side in turn."""
    bridge = Bridge(options.calls, options.seconds)
    with contextlib.ExitStack() as stack:
        sides = {
            "roomgate": stack.enter_context(Gateway(options.calls, options.real_time)),
            "rtpengine": stack.enter_context(Rtpengine(options.opus, options.real_time)),
        }
        found = interleaved(sides, options.rounds, bridge.round)
    lines = [f"{options.calls} calls between G.722 and Opus, speech both ways, {options.seconds:g} s; rtpengine codes {options.opus}"]
    lines += [row(name, costs, options.calls) for name, costs in found.items()]
    share = ratio((cost.cores for cost in found["roomgate"]), (cost.cores for cost in found["rtpengine"]))
    wants = [
        Want("a G.722-Opus call, of rtpengine's CPU", share, at_most=0.40),
        Want("bridged calls, gaps and missing packets", sum(cost.gaps + cost.missing for cost in found["roomgate"]), at_most=0),
    ]
    return Result(lines, wants, {name: [asdict(cost) for cost in costs] for name, costs in found.items()})


def row(name: str, costs: list[Cost], calls: int) -> str:
    """One side: the medians, and the least and the most of the CPU."""
    percent = spread((100 * cost.cores / calls for cost in costs), ".2f")
    channels = "stereo" if costs[0].opus_stereo else "mono"
    return f"  {name:<10} {percent} % of a core a call; {channels}; {outcome(costs)}"
