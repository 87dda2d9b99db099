"""The ten clips of human speech that every condition plays, and the active speech level of ITU-T P.56."""

import math
import os
import wave
from pathlib import Path

import numpy as np

RATE = 16000
"""Sampling rate of all signals here, in Hz: that of PESQ-WB (P.862.2)."""

NOMINAL_LEVEL = -26.0
"""Active speech level of the clips as they are sent, in dBov: that of the ITU's own tests (P.830)."""

CLIPS = (
    "librivox/sense_and_sensibility_01_austen_64kb-0870.wav",
    "librivox/sense_and_sensibility_01_austen_64kb-0880.wav",
    "librivox/sense_and_sensibility_01_austen_64kb-0890.wav",
    "librivox/sense_and_sensibility_01_austen_64kb-0920.wav",
    "librivox/sense_and_sensibility_01_austen_64kb-0930.wav",
    "goforward.raw",
    "numbers.raw",
    "something.raw",
    "cards/002.wav",
    "cards/005.wav",
)
"""Clips of Debian's pocketsphinx-testdata, all of 16 kHz and 16 bits: three voices that read, two that command."""


def setup_folder() -> Path:
    """Where tests/setup.sh installs what is not installed into the system."""
    default = Path(__file__).resolve().parents[2] / ".setup"
    return Path(os.environ.get("ROOMGATE_SETUP", default))


def clips() -> list[np.ndarray]:
    """The ten clips as float samples in [-1, 1], each at NOMINAL_LEVEL."""
    folder = setup_folder() / "speech/usr/share/pocketsphinx/test/data"
    if not folder.is_dir():
        raise SystemExit(f"no speech in {folder}; run: tests/setup.sh quality")
    return [at_level(read(folder / name), NOMINAL_LEVEL) for name in CLIPS]


def read(path: Path) -> np.ndarray:
    """A WAV file, or headerless little-endian samples, of 16 kHz, 16 bits, mono."""
    if path.suffix == ".wav":
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (RATE, 2, 1), path
            data = file.readframes(file.getnframes())
    else:
        data = path.read_bytes()
    samples = np.frombuffer(data, "<i2").astype(np.float64) / 32768
    return samples - samples.mean()


def at_level(samples: np.ndarray, level: float) -> np.ndarray:
    """The samples scaled to an active speech level in dBov."""
    return samples * 10 ** ((level - active_level(samples)) / 20)


def active_level(samples: np.ndarray) -> float:
    """The active speech level by method B of P.56, in dB relative to a full-scale square wave (dBov); -100 for silence."""
    time_constant, hangover, margin = 0.03, int(0.2 * RATE), 15.9
    decay = math.exp(-1 / (time_constant * RATE))
    envelope = smoothed(smoothed(np.abs(samples), decay), decay)
    total = float(np.sum(samples**2))
    if total <= 0:
        return -100.0
    thresholds = 2.0 ** np.arange(-15, 0)
    above = None
    for threshold in thresholds:
        active = active_samples(envelope >= threshold, hangover)
        if active == 0:
            break
        level, limit = 10 * math.log10(total / active), 20 * math.log10(threshold)
        excess = level - limit - margin
        if above is not None and excess <= 0 < above[1]:
            # Between two thresholds the level is interpolated where it lies the margin above the threshold.
            share = above[1] / (above[1] - excess)
            return above[0] + share * (level - above[0])
        above = (level, excess)
    return above[0] if above else -100.0


def smoothed(samples: np.ndarray, decay: float) -> np.ndarray:
    """A first-order recursive average."""
    from scipy.signal import lfilter

    return lfilter([1 - decay], [1, -decay], samples)


def active_samples(loud: np.ndarray, hangover: int) -> int:
    """How many samples are above the threshold, or at most the hangover after one that was."""
    positions = np.where(loud, np.arange(len(loud)), -hangover - 1)
    last = np.maximum.accumulate(positions)
    return int(np.count_nonzero(np.arange(len(loud)) - last <= hangover))


def write(path: Path, samples: np.ndarray) -> None:
    """Writes samples as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setframerate(RATE)
        file.setsampwidth(2)
        file.setnchannels(1)
        file.writeframes(np.clip(np.rint(samples * 32768), -32768, 32767).astype("<i2").tobytes())
