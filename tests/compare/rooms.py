"""What phones in a room of a LiveKit server cost the daemon: ten people by LiveKit's own SDK, of whom three talk, and one more who listens."""

import contextlib
import json
import os
import socket
import subprocess
import threading
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

import voice_codecs
from exchange import Stream
from gateway import ROOT, Gateway
from measurement import Cost, measured, outcome
from meeting import noise
from phone import Phone
from rounds import Result, Want, median, progress, spread
from server import Server
from voice_codecs import CODECS, PACKET_SECONDS

SETUP = Path(os.environ.get("ROOMGATE_SETUP", ROOT / ".setup"))
URL, KEY, SECRET = "ws://127.0.0.1:7880", "devkey", "a-secret-of-at-least-32-characters"
SETTLING = 8.0
"""Seconds before anything counts: entries, prompts, the first filling of jitter buffers."""
TONES = {"anna": 611, "bert": 811, "carl": 1011}
SILENT = 7
"""People who publish a microphone in which nothing is heard."""
NOISE = -70.0
"""Level of the noise in each phone's room, in dBov."""
AT_MOST = {1: 5.0, 5: 2.0, 20: 1.2}
"""Percent of a core that are wanted for each phone, by how many there are."""
MEMORY_AT_MOST = 500
"""Kilobytes that are wanted for each phone beyond the first."""

SETTINGS = f"""
[service.lk]
kind = "livekit"
url = "{URL}"
key = "{KEY}"
secret = "{SECRET}"
"""
MEETING = """service = "lk"
room = "board"
"""
SERVER = f"""
port: 7880
bind_addresses: ["127.0.0.1"]
keys: {{{KEY}: {SECRET}}}
rtc: {{tcp_port: 7881, udp_port: 7882, use_external_ip: false, enable_loopback_candidate: true, interfaces: {{includes: [lo]}}}}
"""


class LiveKit(Server):
    """The server."""

    def __init__(self, real_time: bool) -> None:
        super().__init__("livekit")
        (self._folder / "livekit.yaml").write_text(SERVER)
        command = [SETUP / "livekit/server", "--config", self._folder / "livekit.yaml"]
        self._start(command, real_time, lambda: socket.create_connection(("127.0.0.1", 7880)).close())


class People(Server):
    """Ten who publish, and one who listens."""

    def __init__(self) -> None:
        super().__init__("people")
        command = [SETUP / "venv/bin/python", ROOT / "tests/interop/sfu_people.py", URL, KEY, SECRET, self._folder]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True)
        quiet = {f"quiet{number}": 0 for number in range(SILENT)}
        for who, hertz in {**TONES, **quiet}.items():
            self._join({"who": who, "hertz": hertz, "deaf": True})
        self._join({"who": "listener"})
        # What happens to them is of no interest, but a pipe that is full would stop them.
        threading.Thread(target=self._process.stdout.read, daemon=True).start()

    def _join(self, order: dict) -> None:
        self._process.stdin.write(json.dumps({"do": "join", "room": "board", **order}) + "\n")
        self._process.stdin.flush()
        while json.loads(self._process.stdout.readline())["event"] != "joined":
            pass


class Visit:
    """So many phones in rooms with noise, by PCMU."""

    def __init__(self, phones: int, seconds: float) -> None:
        self._seconds = seconds
        length = int((SETTLING + seconds + 0.5) / PACKET_SECONDS)
        scale = 10 ** ((NOISE + 55) / 20)
        self._parts = [voice_codecs.encode("pcmu", noise(number, length) * scale)[:length] for number in range(phones)]

    def round(self, server: Gateway) -> tuple[Cost, int]:
        """All come, listen, leave; what it cost, and the daemon's resident memory meanwhile in kilobytes."""
        parties = []
        for number, payloads in enumerate(self._parts):
            phone = Phone(f"room{number}", CODECS["pcmu"])
            server.connect(phone, 0)
            delay = number * PACKET_SECONDS / len(self._parts)
            parties.append((phone, Stream(CODECS["pcmu"], payloads, [0.0] * len(payloads), delay)))
        cost = measured(server, parties, SETTLING, self._seconds)
        memory = server.resident_kilobytes()
        for phone, _ in parties:
            server.disconnect(phone)
        return cost, memory


def compare(options: Namespace) -> Result:
    """Each number of phones in turn, by one daemon in one room."""
    result, memory = Result([], []), {}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(LiveKit(options.real_time))
        people = stack.enter_context(People())
        gateway = stack.enter_context(Gateway(1, options.real_time, SETTINGS, MEETING))
        result.lines.append(f"a LiveKit room with ten people, three talk, one listens; phones by PCMU, noise at {NOISE:g} dBov, {options.seconds:g} s")
        for phones, bound in AT_MOST.items():
            visit, costs, sizes, others = Visit(phones, options.seconds), [], [], []
            for number in range(options.rounds):
                progress(f"  round {number + 1} of {options.rounds}: {phones} phones")
                before = server.cpu_seconds() + people.cpu_seconds()
                cost, size = visit.round(gateway)
                costs.append(cost)
                sizes.append(size)
                others.append((server.cpu_seconds() + people.cpu_seconds() - before) / (SETTLING + options.seconds))
            memory[phones] = median(sizes)
            each = spread((100 * cost.cores / phones for cost in costs), ".2f")
            result.lines.append(f"  {phones:>2} phones: {each} % of a core each; {outcome(costs)}; server and people {100 * median(others):.0f} % of a core")
            each = median(100 * cost.cores / phones for cost in costs)
            result.wants.append(Want(f"{phones} phones in a LiveKit room, % of a core each", each, at_most=bound))
            missed = sum(cost.gaps for cost in costs)
            result.wants.append(Want(f"{phones} phones in a LiveKit room, gaps over 60 ms", missed, at_most=0))
            result.figures[f"{phones} phones"] = [asdict(cost) for cost in costs]
    few, many = min(memory), max(memory)
    each = (memory[many] - memory[few]) / (many - few)
    result.wants.append(Want("a phone in a LiveKit room, kB", each, at_most=MEMORY_AT_MOST))
    return result
