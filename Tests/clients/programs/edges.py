"""Finds the edges in PNG pictures, as the classic exercise does: edges.py FROM TO writes a grey picture for each. It
needs nothing but Python."""

import os
import struct
import sys
import zlib


def chunks(data):
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("this is no PNG picture")
    at = 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size


def unfiltered(raw, stride, width, height):
    """Lines of bytes, with what each line was predicted from put back in."""
    lines, before = [], bytearray(width)
    for row in range(height):
        kind, line = raw[row * (width + 1)], bytearray(raw[row * (width + 1) + 1 : (row + 1) * (width + 1)])
        for index, value in enumerate(line):
            left = line[index - stride] if index >= stride else 0
            up, corner = before[index], before[index - stride] if index >= stride else 0
            guess = left + up - corner
            paeth = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            line[index] = (value + (0, left, up, (left + up) // 2, paeth)[kind]) & 255
        lines.append(line)
        before = line
    return lines


def grey(data):
    """Brightness from 0 to 255, line by line, of a picture that is not interlaced."""
    parts = list(chunks(data))
    header = next(body for kind, body in parts if kind == b"IHDR")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if interlaced or depth > 8:
        raise ValueError("interlaced pictures and those of 16 bits are not read")
    bands = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    raw = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
    lines = unfiltered(raw, max(1, bands * depth // 8), (width * bands * depth + 7) // 8, height)
    palette = next((body for kind, body in parts if kind == b"PLTE"), b"")

    def value(line, index):
        bit = index * depth
        return line[bit // 8] >> (8 - depth - bit % 8) & ((1 << depth) - 1)

    def brightness(line, x):
        if colour == 3:
            red, green, blue = palette[3 * value(line, x) :][:3]
        elif colour in (2, 6):
            red, green, blue = line[x * bands : x * bands + 3]
        else:
            return value(line, x * bands) * 255 // ((1 << depth) - 1)
        return (299 * red + 587 * green + 114 * blue) // 1000

    return [[brightness(line, x) for x in range(width)] for line in lines]


def edges(picture):
    """How much the brightness changes at each place, by Sobel's operator."""
    height, width = len(picture), len(picture[0])

    def at(x, y):
        return picture[min(max(y, 0), height - 1)][min(max(x, 0), width - 1)]

    def change(x, y):
        across = sum(w * (at(x + 1, y + d) - at(x - 1, y + d)) for d, w in ((-1, 1), (0, 2), (1, 1)))
        down = sum(w * (at(x + d, y + 1) - at(x + d, y - 1)) for d, w in ((-1, 1), (0, 2), (1, 1)))
        return min(255, abs(across) + abs(down))

    return [bytes(change(x, y) for x in range(width)) for y in range(height)]


def main(source, target):
    for name in sorted(os.listdir(source)):
        with open(os.path.join(source, name), "rb") as file:
            found = edges(grey(file.read()))
        with open(os.path.join(target, os.path.splitext(name)[0] + ".pgm"), "wb") as file:
            file.write(b"P5 %d %d 255\n" % (len(found[0]), len(found)) + b"".join(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
