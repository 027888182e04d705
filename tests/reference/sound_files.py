#!/usr/bin/python3
"""Writes tests/fuzz/seeds/sound: small sounds in every format that can be read, written by libsndfile 1.2. Each is
0.4 sin(2 pi 440 t), 0.05 seconds at 8000 samples per second (Opus: 48,000). In stereo, the second channel is half of the
first."""
import ctypes
import math
import os

WAV, FLAC, OGG, PCM16, PCM24, FLOAT, ULAW, VORBIS, OPUS = 0x010000, 0x170000, 0x200000, 2, 3, 6, 0x10, 0x60, 0x64
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "seeds", "sound")


class Info(ctypes.Structure):
    _fields_ = [("frames", ctypes.c_int64), ("samplerate", ctypes.c_int), ("channels", ctypes.c_int),
                ("format", ctypes.c_int), ("sections", ctypes.c_int), ("seekable", ctypes.c_int)]


library = ctypes.CDLL("libsndfile.so.1")
library.sf_open.restype = ctypes.c_void_p
library.sf_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(Info)]
library.sf_writef_float.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_float), ctypes.c_int64]
library.sf_close.argtypes = [ctypes.c_void_p]


def write(name, form, channels=1, rate=8000):
    count = rate // 20
    tone = [0.4 * math.sin(2 * math.pi * 440 * n / rate) for n in range(count)]
    samples = [x / (c + 1) for x in tone for c in range(channels)]
    info = Info(samplerate=rate, channels=channels, format=form)
    file = library.sf_open(os.path.join(FOLDER, name).encode(), 0x20, ctypes.byref(info))
    assert file, name
    assert library.sf_writef_float(file, (ctypes.c_float * len(samples))(*samples), count) == count
    library.sf_close(file)


write("pcm16.wav", WAV | PCM16)
write("stereo.wav", WAV | PCM16, 2)
write("float.wav", WAV | FLOAT)
write("ulaw.wav", WAV | ULAW)
write("pcm16.flac", FLAC | PCM16)
write("stereo24.flac", FLAC | PCM24, 2)
write("vorbis.ogg", OGG | VORBIS)
write("opus.ogg", OGG | OPUS, 1, 48000)
