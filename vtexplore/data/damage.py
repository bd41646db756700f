"""Is a file all there? What its own bytes say, without decoding a picture.

The containers in use state their size at the front, so a file that breaks off is found by adding up a
few numbers; a library that trusts the front instead waits for frames that never come.
"""

from __future__ import annotations

import io

__all__ = ["is_text", "nal_length_bytes", "nals_fit", "shortfall"]

_KNOWN_SPACE = {"\t", "\n", "\r", "\f", "\x1b"}
_TS_PACKETS = (188, 192, 204)


def is_text(head: bytes) -> bool:
    """Whether the first bytes of a file are text: a page, a playlist or a script renamed to a video."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as problem:
        if problem.start < len(head) - 3:  # else it is only the cut that went through a character
            return False
        text = head[: problem.start].decode("utf-8")
    return bool(text.strip()) and all(c.isprintable() or c in _KNOWN_SPACE for c in text)


def shortfall(file: io.BufferedIOBase) -> str | None:
    """What is missing at the end of a seekable file, in words; None if all is there or nothing can be said."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(16)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp"):
        return _short_boxes(file, size)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return _short_matroska(file, size)
    if head[:4] == b"RIFF":
        return _short_riff(file, size)
    if head[:4] == b"GIF8":
        return _short_gif(file)
    return _short_transport(file, size)


def _short_boxes(file: io.BufferedIOBase, size: int) -> str | None:
    """mp4 and mov are a row of boxes, each with its length; one of them, moov, is the index."""
    at, kinds = 0, set()
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if not all(32 <= c < 127 or c == 0xA9 for c in kind):
            break  # padding or notes that some tool left behind the last box
        kinds.add(kind)
        if length == 0:  # reaches to the end of the file, wherever that is
            break
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:
            break
        at += length
    if b"moov" not in kinds:
        return "its index (the moov box) is missing"
    if at > size:
        return f"{at - size} bytes are missing at its end"
    file.seek(at)
    if at + 8 > size > at and any(file.read(8)):
        return "it ends inside the head of a box"
    return None


def _short_matroska(file: io.BufferedIOBase, size: int) -> str | None:
    """Matroska and webm: an EBML head, then one Segment that says how long it is (or "unknown", all ones)."""
    file.seek(4)
    head_length = _vint(file)
    if head_length is None:
        return None
    file.seek(head_length, io.SEEK_CUR)
    if file.read(4) != b"\x18\x53\x80\x67":
        return "it ends inside its head" if file.tell() >= size else None
    length = _vint(file)
    end = 0 if length is None else file.tell() + length
    return f"{end - size} bytes are missing at its end" if end > size else None


def _vint(file: io.BufferedIOBase) -> int | None:
    """An EBML number: the leading zeros of its first byte tell its length; None for "unknown" or cut off."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    rest = file.read(more)
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + rest, "big")
    unknown = value == (1 << (7 * (more + 1))) - 1
    return None if unknown or len(rest) < more else value


def _short_riff(file: io.BufferedIOBase, size: int) -> str | None:
    """avi: RIFF chunks in a row (a second one beyond 1 GB); a writer that crashed leaves 0 or all ones."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(8)
        length = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):
            return None
        at += 8 + length
    return f"{at - size} bytes are missing at its end" if at > size else None


def _short_gif(file: io.BufferedIOBase) -> str | None:
    """A GIF is a row of blocks and ends with a semicolon; some good ones lack only that."""
    file.seek(10)
    flags = file.read(3)
    if len(flags) < 3:
        return "it ends inside its head"
    file.seek(_gif_colours(flags[0]), io.SEEK_CUR)
    while True:
        kind = file.read(1)
        if kind in (b";", b""):
            return None
        if kind == b",":
            head = file.read(9)
            if len(head) < 9:
                return "its last picture is not complete"
            file.seek(_gif_colours(head[8]) + 1, io.SEEK_CUR)
        elif kind == b"!":
            file.seek(1, io.SEEK_CUR)
        else:
            return None  # behind the last block some writers leave padding
        while (length := file.read(1)) != b"\0":
            if not length or len(file.read(length[0])) < length[0]:
                return "its last picture is not complete"


def _gif_colours(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _short_transport(file: io.BufferedIOBase, size: int) -> str | None:
    """A transport stream is a row of packets of one length, each beginning with a G."""
    for step in _TS_PACKETS:
        first = step - 188 if step == 192 else 0
        marks = [_byte(file, first + i * step) for i in range(5)]
        if marks == [b"G"] * 5:
            return "its last packet is not complete" if size % step else None
    return None


def _byte(file: io.BufferedIOBase, at: int) -> bytes:
    file.seek(at)
    return file.read(1)


def nal_length_bytes(codec: str, extradata: bytes | None) -> int | None:
    """How many bytes state the length of each unit of an H.264 or H.265 packet; None if none do."""
    if codec == "h264" and extradata and len(extradata) > 4 and extradata[0] == 1:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and extradata and len(extradata) > 21 and extradata[0] == 1:
        return (extradata[21] & 3) + 1
    return None


def nals_fit(packet: bytes, length_bytes: int) -> bool:
    """Whether the units of a packet fill it exactly: a hole or noise in a file breaks this rule at once."""
    at = 0
    while at + length_bytes <= len(packet):
        at += length_bytes + int.from_bytes(packet[at : at + length_bytes], "big")
    return at <= len(packet)
