#!/usr/bin/python3
"""Writes sound.json: resampled sounds, spectra and mel bands, computed by SciPy. Made with SciPy 1.10.1 (Debian's
python3-scipy). The sound is 0.5 sin(0.05 n) + 0.3 cos(0.9 n + 0.001 n^2); the test computes the same. Resampling is
scipy.signal.resample_poly with its defaults, in f64. Spectra are from scipy.signal.stft without its scale. Mel bands follow the
formula of HTK."""
import json
import math
import os

import numpy as np
from scipy import signal


def sound(count):
    n = np.arange(count, dtype=np.float64)
    return 0.5 * np.sin(0.05 * n) + 0.3 * np.cos(0.9 * n + 0.001 * n * n)


def resampled(count, rate, to):
    common = math.gcd(rate, to)
    y = signal.resample_poly(sound(count), to // common, rate // common)
    return {"count": count, "rate": rate, "to": to, "samples": y.tolist()}


def spectrum(count, window, hop, size):
    _, _, z = signal.stft(sound(count), window="hann", nperseg=window, noverlap=window - hop, nfft=size, boundary=None,
                          padded=False, detrend=False)
    z = z.T * signal.get_window("hann", window).sum()  # (frames, bins)
    return z


def mel_filters(size, rate, bands, low, high):
    mel = lambda f: 2595 * np.log10(1 + f / 700)
    corners = 700 * (10 ** (np.linspace(mel(low), mel(high), bands + 2) / 2595) - 1)
    f = np.arange(size // 2 + 1) * rate / size
    filters = np.zeros((size // 2 + 1, bands))
    for band in range(bands):
        left, centre, right = corners[band:band + 3]
        filters[:, band] = np.maximum(0, np.minimum((f - left) / (centre - left), (right - f) / (right - centre)))
    return filters


def stft_case(count, window, hop, size):
    z = spectrum(count, window, hop, size)
    return {"count": count, "window": window, "hop": hop, "size": size, "frames": z.shape[0], "real": z.real.ravel().tolist(),
            "imaginary": z.imag.ravel().tolist()}


def mel_case(count, window, hop, size, rate, bands, low, high):
    energy = np.abs(spectrum(count, window, hop, size)) ** 2
    values = np.log(np.maximum(energy @ mel_filters(size, rate, bands, low, high), 1e-10))
    return {"count": count, "window": window, "hop": hop, "size": size, "rate": rate, "bands": bands, "low": low, "high": high,
            "values": values.ravel().tolist()}


ALL = {
    "resampled": [resampled(300, 22050, 8000), resampled(150, 8000, 16000), resampled(200, 44100, 16000),
                  resampled(7, 16000, 8000), resampled(1, 8000, 11025)],
    "stft": [stft_case(100, 20, 8, 32), stft_case(64, 16, 16, 16), stft_case(50, 30, 7, 30)],
    "log_mel": [mel_case(900, 200, 80, 256, 8000, 20, 0, 4000), mel_case(1000, 400, 160, 512, 16000, 12, 60, 7600)],
}
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sound.json"), "w") as file:
    json.dump(ALL, file)
    file.write("\n")
