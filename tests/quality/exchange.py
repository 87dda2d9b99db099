"""Sends the packets of all phones of a condition at their times, and notes what comes back and when."""

import contextlib
import gc
import os
import select
import socket
import struct
import time
import zlib
from dataclasses import dataclass, field

from attack import attack
from phone import SO_TIMESTAMPNS, Phone
from voice_codecs import PACKET_SECONDS, Codec

Received = tuple[int, bytes]
"""When the kernel had it, in nanoseconds of the wall clock, and the datagram."""


Planned = tuple[float, int | None, bytes]
"""When to send what, in seconds after the start: the number of a packet and its datagram."""


@dataclass
class Stream:
    """What one phone sends, a payload every 20 ms, and what it is sent meanwhile."""

    codec: Codec
    payloads: list[bytes]
    late: list[float | None]
    """Seconds for each packet, `None` where it is lost; see `Impairment.plan`."""
    phase: float = 0.0
    """Seconds after the others of this exchange."""
    clock: float = 1.0
    """How much longer than 20 ms a packet lasts by the daemon's clock."""
    sent: dict[int, int] = field(default_factory=dict)
    """When each packet was handed to the daemon, in nanoseconds of the wall clock."""
    received: list[Received] = field(default_factory=list)
    attack: float = 0.0
    """Forged and replayed packets a second, from the phone's own address."""

    def due(self) -> list[tuple[float, int]]:
        """When to send which packet, in seconds after the start."""
        times = ((self.phase + number * PACKET_SECONDS * self.clock, number) for number in range(len(self.payloads)))
        return [(at + self.late[number], number) for at, number in times if self.late[number] is not None]

    def datagrams(self, phone: Phone) -> list[bytes]:
        """Its RTP packets (RFC 3550 section 5.1), encrypted where the phone has a key."""
        made = []
        for number, payload in enumerate(self.payloads):
            marker = 0x80 if number == 0 else 0
            timestamp = number * self.codec.ticks & 0xFFFFFFFF
            head = struct.pack("!BBHII", 0x80, marker | self.codec.payload_type, number & 0xFFFF, timestamp, phone.ssrc)
            made.append(head + payload)
        return phone.key.protect(made) if phone.key else made

    def plan(self, phone: Phone) -> list[Planned]:
        """What to send when; an attacker's packets have no number."""
        datagrams = self.datagrams(phone)
        own = [(at, number, datagrams[number]) for at, number in self.due()]
        forged = attack(zlib.crc32(phone.name.encode()), self.attack, [(at, datagram) for at, _, datagram in sorted(own)])
        return own + [(at, None, datagram) for at, datagram in forged]


@dataclass(frozen=True)
class Lateness:
    """How much later than planned the harness sent, in milliseconds: more than a few, and the run measures the machine."""

    p99: float
    longest: float
    stolen: float
    """Share of CPU time that the host gave to others (`steal` of /proc/stat)."""


def run(parties: list[tuple[Phone, Stream]]) -> Lateness:
    """Sends everything, and receives until half a second after the last packet."""
    plan = [(*planned, phone, stream) for phone, stream in parties for planned in stream.plan(phone)]
    plan.sort(key=lambda planned: planned[0])
    poll = select.epoll()
    for phone, _ in parties:
        drop_waiting(phone.rtp)
        poll.register(phone.rtp, select.EPOLLIN)
    receivers = {phone.rtp.fileno(): (phone.rtp, stream.received) for phone, stream in parties}
    late, before = [], cpu_times()
    gc.disable()
    scheduling = real_time()
    start = time.monotonic() + 0.05
    for at, number, datagram, phone, stream in plan:
        receive_until(start + at, poll, receivers)
        if number is not None:
            stream.sent[number] = time.time_ns()
        phone.rtp.send(datagram)
        late.append(time.monotonic() - start - at)
    receive_until(time.monotonic() + 0.5, poll, receivers)
    gc.enable()
    os.sched_setscheduler(0, scheduling, os.sched_param(0))
    late.sort()
    total, stolen = (after - earlier for after, earlier in zip(cpu_times(), before))
    return Lateness(1000 * late[len(late) * 99 // 100], 1000 * late[-1], stolen / max(total, 1))


def receive_until(until: float, poll: select.epoll, receivers: dict[int, tuple[socket.socket, list[Received]]]) -> None:
    """Takes what comes until a time of the monotonic clock."""
    while (left := until - time.monotonic()) > 0:
        # The timeout of epoll has whole milliseconds: the last one is slept.
        if left < 0.0015:
            time.sleep(max(left - 0.00005, 0))
            continue
        for descriptor, _ in poll.poll(left - 0.001):
            rtp, received = receivers[descriptor]
            # An ICMP error of a port that is closed already comes as one of the socket.
            with contextlib.suppress(OSError):
                data, ancillary, _, _ = rtp.recvmsg(2048, 64)
                received.append((arrival(ancillary), data))


def arrival(ancillary: list) -> int:
    """The kernel's time stamp, in nanoseconds."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = struct.unpack("qq", data[:16])
            return seconds * 1_000_000_000 + nanoseconds
    return time.time_ns()


def real_time() -> int:
    """Has this thread run whenever it can, as a network does, where the user may; the scheduling that it had."""
    before = os.sched_getscheduler(0)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    return before


def drop_waiting(rtp: socket.socket) -> None:
    """Forgets what came before the exchange."""
    try:
        while True:
            rtp.recv(2048)
    except BlockingIOError:
        return


def cpu_times() -> tuple[int, int]:
    """All ticks of the machine's CPUs, and those that were stolen."""
    with open("/proc/stat") as file:
        ticks = [int(value) for value in file.readline().split()[1:]]
    return sum(ticks[:8]), ticks[7]
