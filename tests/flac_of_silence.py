"""A FLAC file that says as much with as few bytes as the format allows."""

import struct

BLOCK = 65_535  # samples, the most that a block can have


def silent_flac(blocks: int, sample_rate: int = 48_000) -> bytes:
    """Return ``blocks`` blocks of 65,535 zeros, mono and 8 bits, each a constant subframe."""
    total = blocks * BLOCK
    packed = sample_rate << 44 | 0 << 41 | (8 - 1) << 36 | total
    info = struct.pack(">HH6x", BLOCK, BLOCK) + packed.to_bytes(8, "big") + bytes(16)
    return b"fLaC" + bytes([0x80, 0, 0, len(info)]) + info + b"".join(map(_frame, range(blocks)))


def _frame(number: int) -> bytes:
    header = b"\xff\xf8" + bytes([0b0111_0000, 0b0000_0010]) + _utf8(number)
    header += struct.pack(">H", BLOCK - 1)
    header += _crc(header, 8, 0x07).to_bytes(1, "big")
    body = header + b"\x00\x00"  # a constant subframe, and its value
    return body + _crc(body, 16, 0x8005).to_bytes(2, "big")


def _utf8(number: int) -> bytes:
    return chr(number).encode()


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    value = 0
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> (bits - 1) else 0)
            value &= (1 << bits) - 1
    return value
