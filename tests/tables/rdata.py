"""Reads R's data files without R: .rda (save), and pairs of .rdb and .rdx (lazy loading), in XDR format.

An R vector becomes a list (None where NA), a factor a list of its levels, a data frame a dict of columns.
"""

import bz2
import gzip
import lzma
import math
import struct
import zlib

NA_INTEGER = -2147483648
NIL, GLOBAL_ENV, EMPTY_ENV, BASE_ENV, REFERENCE, NAMESPACE, MISSING, UNBOUND = 254, 253, 242, 241, 255, 249, 251, 252


class Reader:
    def __init__(self, data):
        self.data, self.at, self.references = data, 0, []

    def take(self, count):
        self.at += count
        return self.data[self.at - count:self.at]

    def integer(self):
        return struct.unpack(">i", self.take(4))[0]

    def length(self):
        count = self.integer()
        return count if count != -1 else (self.integer() << 32) + self.integer()

    def header(self):
        assert self.take(2) == b"X\n", "only the XDR form is read"
        version = self.integer()
        self.take(8)
        if version == 3:
            self.take(self.integer())

    def item(self):
        flags = self.integer()
        kind, has_attributes, has_tag = flags & 255, flags & 512, flags & 1024
        if kind in (NIL, GLOBAL_ENV, EMPTY_ENV, BASE_ENV, MISSING, UNBOUND):
            return None
        if kind == REFERENCE:
            return self.references[(flags >> 8 or self.integer()) - 1]
        if kind == NAMESPACE:
            self.integer()
            self.references.append([self.item() for _ in range(self.integer())])
            return self.references[-1]
        if kind == 1:  # a symbol
            self.references.append(self.item())
            return self.references[-1]
        if kind == 4:  # an environment
            self.references.append({})
            self.integer()
            for _ in range(4):
                self.item()
            return None
        if kind in (2, 6):  # a pair list, or a call
            pairs = []
            while True:
                if has_attributes:
                    self.item()
                tag = self.item() if has_tag else None
                pairs.append((tag, self.item()))
                flags = self.integer()
                if flags & 255 not in (2, 6):
                    self.at -= 4
                    self.item()
                    return pairs
                has_attributes, has_tag = flags & 512, flags & 1024
        value = self.vector(kind)
        return self.with_attributes(value, dict(self.item())) if has_attributes else value

    def vector(self, kind):
        if kind == 9:  # characters
            count = self.integer()
            return None if count == -1 else self.take(count).decode("utf-8", "replace")
        if kind == 238:  # an alternative form, such as 1:n
            (form, *_), state, _ = [value for _, value in self.item()], self.item(), self.item()
            if form == "compact_intseq":
                count, first, step = state
                return [int(first + step * i) for i in range(int(count))]
            return state[0] if form.startswith("wrap_") else state
        count = self.length()
        if kind in (10, 13):  # logical, integer
            return [None if v == NA_INTEGER else v for v in struct.unpack(f">{count}i", self.take(4 * count))]
        if kind == 14:
            return [None if math.isnan(v) else v for v in struct.unpack(f">{count}d", self.take(8 * count))]
        if kind in (16, 19, 20):  # strings, lists
            return [self.item() for _ in range(count)]
        if kind == 24:
            return self.take(count)
        raise ValueError(f"an R value of kind {kind}")

    @staticmethod
    def with_attributes(value, attributes):
        if "levels" in attributes:
            return [None if v is None else attributes["levels"][v - 1] for v in value]
        if "names" in attributes and isinstance(value, list):
            return dict(zip(attributes["names"], value))
        return value


def unpacked(data):
    for opened in (gzip.decompress, bz2.decompress, lzma.decompress):
        try:
            return opened(data)
        except (OSError, lzma.LZMAError):
            pass
    return data


def read_rda(path):
    """The objects of a file, by name."""
    data = unpacked(path.read_bytes())
    assert data[:5] in (b"RDX2\n", b"RDX3\n")
    reader = Reader(data[5:])
    reader.header()
    return dict(reader.item())


def read_lazy(base, name):
    """One object of base.rdb, which base.rdx lists."""
    def value_in(data):
        reader = Reader(data)
        reader.header()
        return reader.item()

    place, count = value_in(unpacked(base.with_suffix(".rdx").read_bytes()))["variables"][name]
    packed = base.with_suffix(".rdb").read_bytes()[int(place):int(place + count)]
    kind = packed[4:5]
    if kind == b"2":
        return value_in(bz2.decompress(packed[5:]))
    if kind == b"Z":
        return value_in(lzma.decompress(packed[5:], format=lzma.FORMAT_RAW, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6}]))
    return value_in(zlib.decompress(packed[4:]))
