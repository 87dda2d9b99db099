#!/usr/bin/env python3
"""Synthesises music.wav: what waiting callers hear (K-6).

A slow arpeggio over four chords, eight bars of 3 s. Every note decays around the end of the file into its beginning, so the
24 s loop has no seam. Nothing is sampled or quoted: notes, timbre and script are Roomgate's own.

    python3 -m venv .venv && .venv/bin/pip install numpy==2.4.6
    .venv/bin/python music.py
"""

import math
import wave
from pathlib import Path

import numpy as np

RATE = 16_000
BAR = 3.0  # seconds
LEVEL = -30.0  # dBov RMS: clearly under the prompts, which are spoken over it at -20
# Semitones from the F above middle C: Fmaj7, Dm7, B flat maj7, Csus4 in open positions, high enough for a telephone;
# the second time around with another top voice.
BARS = [
    (-12, -5, 4, 11, 7, 4),
    (-15, -8, 0, 7, 4, 0),
    (-19, -7, 0, 4, 9, 4),
    (-17, -5, 2, 7, 0, 2),
    (-12, -5, 4, 7, 12, 7),
    (-15, -8, 0, 4, 9, 7),
    (-19, -7, 0, 9, 4, 0),
    (-17, -5, 2, 7, 5, 2),
]
# Share of each partial and how much faster than the fundamental it fades: a soft plucked tone that survives G.711.
PARTIALS = [(1, 1.0, 1.0), (2, 0.35, 1.6), (3, 0.12, 2.4), (4, 0.05, 3.2)]
HIGHEST = 3_400.0  # Hz; a telephone passes nothing above


def note(semitone, seconds):
    frequency = 349.2282 * 2 ** (semitone / 12)
    time = np.arange(int(seconds * RATE)) / RATE
    tone = np.zeros_like(time)
    for number, share, fading in PARTIALS:
        if number * frequency < HIGHEST:
            tone += share * np.sin(2 * math.pi * number * frequency * time) * np.exp(-1.1 * fading * time)
    attack = np.minimum(time / 0.03, 1.0)
    release = np.minimum((seconds - time) / 0.5, 1.0)
    return tone * (0.5 - 0.5 * np.cos(math.pi * attack)) * release


def main():
    length = int(len(BARS) * BAR * RATE)
    music = np.zeros(length)
    for bar, chord in enumerate(BARS):
        for step, semitone in enumerate(chord):
            start = int((bar * BAR + step * BAR / len(chord)) * RATE)
            tone = note(semitone, 4.5) * (0.8 if step == 0 else 0.55)
            at = (start + np.arange(len(tone))) % length
            music[at] += tone
    music *= 10 ** (LEVEL / 20) / np.sqrt(np.mean(music**2))
    assert np.max(np.abs(music)) < 0.5
    with wave.open(str(Path(__file__).resolve().parent / "music.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(np.round(music * 32767).astype("<i2").tobytes())


if __name__ == "__main__":
    main()
