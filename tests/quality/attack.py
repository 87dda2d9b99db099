"""SRTP with keys by SDES (RFC 4568), and an attacker who sees the packets of a call and sends more in the talker's name."""

import base64
import os
import struct
from dataclasses import dataclass, field

from impairment import uniform
from pylibsrtp import Policy, Session

SUITE = "AES_CM_128_HMAC_SHA1_80"
TAG = 10
"""Octets of its authentication tag."""
SEEN_AFTER = 0.002
"""Seconds after which the attacker has a packet that was sent."""


@dataclass(frozen=True)
class SdesKey:
    """The master key and salt of what one phone sends."""

    key: bytes = field(default_factory=lambda: os.urandom(30))

    def crypto(self) -> str:
        """The value of `a=crypto`."""
        return f"1 {SUITE} inline:{base64.b64encode(self.key).decode()}"

    def protect(self, datagrams: list[bytes]) -> list[bytes]:
        """The packets of a call from its first, encrypted."""
        policy = Policy(key=self.key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=Policy.SRTP_PROFILE_AES128_CM_SHA1_80)
        session = Session(policy)
        return [session.protect(datagram) for datagram in datagrams]


def attack(seed: int, rate: float, sent: list[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
    """Packets at `rate` a second among those of a call, each with its time: by turns one that was sent before, within two seconds, and one
    with the header of the next to come and another payload, so that it would be played if its tag were not looked at."""
    if not sent:
        return []
    made, after = [], 0
    begin, end = sent[0][0], sent[-1][0]
    for number in range(int((end - begin) * rate)):
        at = begin + SEEN_AFTER + number / rate
        while after < len(sent) and sent[after][0] + SEEN_AFTER <= at:
            after += 1
        chance = uniform(seed, number, "attack")
        if number % 2 and after:
            made.append((at, sent[after - 1 - int(chance * min(after, 100))][1]))
        elif after < len(sent):
            model = sent[after][1]
            noise = struct.pack("d", chance) * (len(model) // 8 + 1)
            made.append((at, model[:12] + noise[: len(model) - 12]))
    return made
