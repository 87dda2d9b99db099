"""The codecs of the phones, all with 16 kHz samples at the outside: G.722, G.711 µ-law, and Opus by Debian's libopus."""

import ctypes
from dataclasses import dataclass

import numpy as np
from G722 import G722
from scipy.signal import resample_poly

from speech import RATE

PACKET_SECONDS = 0.02
SAMPLES = int(RATE * PACKET_SECONDS)
"""Samples of a packet."""


@dataclass(frozen=True)
class Codec:
    """How a codec is named in SDP, and how many units of its RTP clock a packet lasts."""

    name: str
    payload_type: int
    rtpmap: str
    fmtp: str
    clock: int

    @property
    def ticks(self) -> int:
        return int(self.clock * PACKET_SECONDS)


# What Roomgate asks for (`maxaveragebitrate`); a browser that is asked for nothing sends 32 kbit/s of mono.
ASKED_BITRATE = 56000

CODECS = {
    codec.name: codec
    for codec in (
        Codec("g722", 9, "G722/8000", "", 8000),
        Codec("pcmu", 0, "PCMU/8000", "", 8000),
        Codec("opus", 111, "opus/48000/2", "useinbandfec=1", 48000),
    )
}


def encode(name: str, samples: np.ndarray, expected_loss: int = 0) -> list[bytes]:
    """The payloads of a signal, a packet each. `expected_loss`: in percent, the loss reported by RTCP."""
    samples = np.concatenate([samples, np.zeros(-len(samples) % SAMPLES)])
    if name == "opus":
        encoder = OpusEncoder(expected_loss=expected_loss)
        frames = pcm(resample_poly(samples, 3, 1)).reshape(-1, 3 * SAMPLES)
        return [encoder.encode(frame) for frame in frames]
    if name == "g722":
        data = bytes(G722(RATE, 64000).encode(pcm(samples)))
        return [data[at : at + 160] for at in range(0, len(data), 160)]
    data = MU_LAW[pcm(resample_poly(samples, 1, 2)).astype(np.int32) + 32768].tobytes()
    return [data[at : at + 160] for at in range(0, len(data), 160)]


def decode(name: str, payloads: list[bytes | None]) -> np.ndarray:
    """What a phone without a jitter buffer plays; `None` where no packet was sent (silence, or what Opus makes of it)."""
    if name == "opus":
        decoder = OpusDecoder()
        frames = [decoder.decode(payload) for payload in payloads]
        return np.concatenate(frames).astype(np.float64) / 32768
    if name == "g722":
        decoder = G722(RATE, 64000)
        frames = [np.asarray(decoder.decode(p)) if p else np.zeros(SAMPLES) for p in payloads]
        return np.concatenate(frames).astype(np.float64) / 32768
    frames = [np.frombuffer(p, np.uint8) if p else np.full(SAMPLES // 2, 255, np.uint8) for p in payloads]
    return resample_poly(MU_LAW_DECODED[np.concatenate(frames)] / 32768, 2, 1)


def pcm(samples: np.ndarray) -> np.ndarray:
    """Samples of 16 bits."""
    return np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)


def _mu_law_decoded() -> np.ndarray:
    """G.711 table 2a/2b: the values of all octets, on the scale of 16 bits."""
    octets = ~np.arange(256) & 0xFF
    segment, step = octets >> 4 & 7, octets & 15
    magnitude = ((2 * step + 33) << segment + 2) - 132
    return np.where(octets & 0x80, -magnitude, magnitude)


def _mu_law() -> np.ndarray:
    """The nearest octet of each of the 65,536 sample values."""
    order = np.argsort(MU_LAW_DECODED, kind="stable")
    values = MU_LAW_DECODED[order]
    borders = (values[1:] + values[:-1]) / 2
    return order[np.searchsorted(borders, np.arange(-32768, 32768))].astype(np.uint8)


MU_LAW_DECODED = _mu_law_decoded()
MU_LAW = _mu_law()

# === libopus ===

OPUS = ctypes.CDLL("libopus.so.0")
OPUS.opus_encoder_create.restype = OPUS.opus_decoder_create.restype = ctypes.c_void_p

# Requests of opus_encoder_ctl, from opus_defines.h.
SET_BITRATE, SET_COMPLEXITY, SET_INBAND_FEC, SET_PACKET_LOSS = 4002, 4010, 4012, 4014
APPLICATION_VOIP = 2048
MAX_PAYLOAD = 1275


class OpusEncoder:
    """Mono at 48 kHz, 20 ms, as Chromium sends it where 56 kbit/s are asked for: VoIP, FEC on, complexity 9, no DTX."""

    def __init__(self, bitrate: int = ASKED_BITRATE, complexity: int = 9, expected_loss: int = 0) -> None:
        error = ctypes.c_int()
        self._state = ctypes.c_void_p(OPUS.opus_encoder_create(48000, 1, APPLICATION_VOIP, ctypes.byref(error)))
        settings = {SET_BITRATE: bitrate, SET_COMPLEXITY: complexity, SET_INBAND_FEC: 1, SET_PACKET_LOSS: expected_loss}
        for request, value in settings.items():
            assert OPUS.opus_encoder_ctl(self._state, request, ctypes.c_int(value)) == 0, request
        self._out = ctypes.create_string_buffer(MAX_PAYLOAD)

    def encode(self, frame: np.ndarray) -> bytes:
        """A frame of 960 samples of 16 bits."""
        length = OPUS.opus_encode(self._state, frame.tobytes(), len(frame), self._out, MAX_PAYLOAD)
        assert length > 0, length
        return self._out.raw[:length]

    def __del__(self) -> None:
        OPUS.opus_encoder_destroy(self._state)


class OpusDecoder:
    """Gives 20 ms at 16 kHz for each payload."""

    def __init__(self) -> None:
        error = ctypes.c_int()
        self._state = ctypes.c_void_p(OPUS.opus_decoder_create(RATE, 1, ctypes.byref(error)))

    def decode(self, payload: bytes | None) -> np.ndarray:
        out = np.zeros(SAMPLES, np.int16)
        length = len(payload) if payload else 0
        pointer = out.ctypes.data_as(ctypes.c_void_p)
        OPUS.opus_decode(self._state, payload or None, length, pointer, SAMPLES, 0)
        return out

    def __del__(self) -> None:
        OPUS.opus_decoder_destroy(self._state)
