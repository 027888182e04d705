"""Reads data that R packages ship, without R: `rdata.load(FOLDER, NAME)` gives an object of FOLDER/Rdata.rdb,
`rdata.load_rda(FILE)` those of an .rda file.

R writes objects as a tree (serialize(), format X, versions 2 and 3, see "R Internals"), compressed by zlib, bzip2 or xz.
Vectors become lists, lists and data frames become `Named` with the names of their parts, factors become lists of texts, and
NA becomes None.
"""

import bz2
import lzma
import struct
import zlib
from pathlib import Path

NA_INTEGER = -(2**31)


class Named(dict):
    """A list of parts with names, in order."""


class Reader:
    """Reads one serialized object."""

    def __init__(self, data):
        self.data, self.at, self.seen = data, 0, []
        if self.take(2) != b"X\n":
            raise ValueError("not a serialized R object in XDR format")
        version = self.integer()
        self.at += 8  # two numbers: the version of R that wrote it, and the oldest that can read it
        if version == 3:
            self.take(self.integer())  # the encoding
        elif version != 2:
            raise ValueError(f"a serialized R object of version {version}")

    def take(self, count):
        piece = self.data[self.at:self.at + count]
        if len(piece) != count:
            raise ValueError("a serialized R object ends too early")
        self.at += count
        return piece

    def integer(self):
        return struct.unpack(">i", self.take(4))[0]

    def length(self):
        count = self.integer()
        return (self.integer() << 32 | self.integer()) if count == -1 else count

    def integers(self):
        count = self.length()
        return [None if v == NA_INTEGER else v for v in struct.unpack(f">{count}i", self.take(4 * count))]

    def reals(self):
        count = self.length()
        return list(struct.unpack(f">{count}d", self.take(8 * count)))

    def text(self):
        count = self.integer()
        return None if count == -1 else self.take(count).decode("utf-8", "replace")

    def pairs(self, flags):
        """A pairlist as a list of (tag, value); if it ends with a dotted value, that is added with the tag None."""
        items = []
        while flags & 0xFF in (2, 239):
            if flags & 0x200:
                self.item()
            tag = self.item() if flags & 0x400 else None
            items.append((tag, self.item()))
            flags = self.integer()
        if flags & 0xFF != 254:
            items.append((None, self.item(flags)))
        return items

    def alternative(self):
        """A vector in a compact form: a range, numbers to be converted to texts, or a wrapped vector."""
        info, state, _ = self.item(), self.item(), self.item()
        kind = info[0][1]
        if kind in ("compact_intseq", "compact_realseq"):
            count, first, step = state
            return [int(first + i * step) for i in range(int(count))]
        if kind == "deferred_string":
            return [str(v) for v in state[0][1]]
        if kind.startswith("wrap_"):
            return state[0]
        raise ValueError(f"an R vector of the form {kind}")

    def environment(self):
        self.integer()
        self.seen.append(None)
        for _ in range(4):
            self.item()

    def item(self, flags=None):
        flags = self.integer() if flags is None else flags
        kind = flags & 0xFF
        if kind in (254, 253, 242, 241, 251, 252):
            return None
        if kind == 255:
            return self.seen[(flags >> 8 or self.integer()) - 1]
        if kind == 1:
            self.seen.append(self.item())
            return self.seen[-1]
        if kind in (247, 249, 250):  # a package, a namespace or an outside object, which is stored by name
            self.integer()
            self.seen.append([self.item() for _ in range(self.integer())])
            return self.seen[-1]
        if kind == 4:
            return self.environment()
        if kind in (2, 239):
            return self.pairs(flags)
        if kind in (5, 6, 240, 3):  # promises, calls, functions: no part of the data, but they must be read to find what follows
            if flags & 0x200:
                self.item()
            if flags & 0x400:
                self.item()
            return [self.item(), self.item()]
        if kind == 9:
            return self.text()
        if kind == 238:
            return self.alternative()
        if kind in (10, 13):
            value = self.integers()
        elif kind == 14:
            value = self.reals()
        elif kind in (16, 19, 20):
            value = [self.item() for _ in range(self.length())]
        elif kind == 24:
            return self.take(self.length())
        elif kind == 25:
            value = []
        else:
            raise ValueError(f"an R object of type {kind}")
        return with_attributes(value, dict(self.item()) if flags & 0x200 else {})


def with_attributes(value, attributes):
    if "levels" in attributes:
        return [None if v is None else attributes["levels"][v - 1] for v in value]
    if "names" in attributes and len(attributes["names"]) == len(value):
        return Named(zip(attributes["names"], value))
    return value


def unpack(data):
    for start, decompress in ((b"\x1f\x8b", lambda d: zlib.decompress(d, 47)), (b"BZh", bz2.decompress),
                              (b"\xfd7z", lzma.decompress)):
        if data.startswith(start):
            return decompress(data)
    return zlib.decompress(data)


def load(folder, name):
    """Reads an object from Rdata.rdb; the index Rdata.rdx has its place."""
    folder = Path(folder)
    index = Reader(unpack((folder / "Rdata.rdx").read_bytes())).item()
    offset, length = index["variables"][name]
    with open(folder / "Rdata.rdb", "rb") as file:
        file.seek(offset)
        data = file.read(length)[4:]  # behind the length it has unpacked
    if data[:1] == b"2":
        data = bz2.decompress(data[1:])
    elif data[:1] == b"Z":
        data = lzma.decompress(data[1:], lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6}])
    else:
        data = zlib.decompress(data)
    return Reader(data).item()


def load_rda(file):
    """The objects of a file that save() wrote, by name."""
    data = unpack(Path(file).read_bytes())
    if not data.startswith((b"RDX2\n", b"RDX3\n")):
        raise ValueError(f"{file} is not an .rda file in XDR format")
    return Named(Reader(data[5:]).item())
