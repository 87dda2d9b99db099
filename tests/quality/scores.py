"""The scores of a passage: PESQ-WB (P.862.2), STOI, PLCMOS, and what became of its level."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnxruntime
from comparison import MARGIN
from pesq import pesq
from pystoi import stoi
from scipy.signal import butter, sosfiltfilt
from speechmos.plcmos import PLCMOS

from speech import RATE, active_level

Rater = Callable[[np.ndarray], float]


@dataclass
class Scores:
    """The scores of one clip played once."""

    pesq: float
    stoi: float
    plcmos: float
    level_difference: float
    """Active speech level of the degraded signal less that of the reference, in dB, both in the band of wideband telephones."""


def score(reference: np.ndarray, degraded: np.ndarray, rater: Rater) -> Scores:
    """The scores of one passage; `rater` as made by `plcmos`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wideband = pesq(RATE, reference.astype(np.float32), degraded.astype(np.float32), "wb", on_error=1)
        intelligibility = stoi(reference, degraded, RATE)
    inner = slice(MARGIN, -MARGIN)
    level = active_level(in_band(degraded[inner])) - active_level(in_band(reference[inner]))
    return Scores(float(wideband), float(intelligibility), rater(degraded), level)


def in_band(samples: np.ndarray) -> np.ndarray:
    """From 200 Hz to 7 kHz (P.341): rumble below, which codecs for speech take away, is no loss of level."""
    return sosfiltfilt(butter(4, (200, 7000), "bandpass", fs=RATE, output="sos"), samples)


def plcmos() -> Rater:
    """PLCMOS version 2 by Microsoft, whose random raters are drawn anew with the same seed for each passage."""
    model = PLCMOS()
    # One thread: passages are scored beside each other.
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    model.session = onnxruntime.InferenceSession(model.model_path, settings)

    def rate(degraded: np.ndarray) -> float:
        np.random.seed(862)
        return float(model(np.clip(degraded, -1, 1))["plcmos"])

    return rate
