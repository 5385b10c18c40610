#!/usr/bin/env python3
"""An independent verifier of rescind's exports, mirrors and proofs.

Written from the C2SP texts (signed-note, tlog-checkpoint, tlog-tiles, tlog-proof), RFC 6962, RFC 9162 and RFC 8032,
not from the Rust code, with the standard library of Python 3.11 alone.

    verify_tlog.py tiles DIR VKEY     every entry and tile of an export or mirror against its signed checkpoint
    verify_tlog.py proof FILE VKEY    one entry against a signed checkpoint; the entry is the proof's extra data

VKEY is the public key in the signed-note form NAME+ID+BASE64. Exit code 0: it holds, and a line says what was shown;
1: it does not, and a line says why; 2: wrong arguments.
"""

import base64
import binascii
import hashlib
import os
import sys


class Wrong(Exception):
    """What was to be shown is not."""


# Ed25519 verification, RFC 8032 section 5.1.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P:
        return None
    return P - x if x & 1 != sign else x


def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def add(a, b):
    """Extended coordinates, section 5.1.4."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    k, m, n, o = f - e, h - g, h + g, f + e
    return k * m % P, n * o % P, m * n % P, k * o % P


def multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def same(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def ed25519_verify(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    a, r = decompress(public), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return same(multiply(s, BASE), add(r, multiply(k, a)))


# The tree, RFC 6962 section 2.1.


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_hash(hashes):
    """MTH over subtree hashes of equal size, from left to right."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:
        pairs = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes) - 1, 2)]
        # A last one without a partner goes up as it is: the same tree as splitting at the largest power of two.
        hashes = pairs + hashes[len(pairs) * 2 :]
    return hashes[0]


def verify_inclusion(leaf, index, size, path, root):
    """RFC 9162 section 2.1.3.2."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


# Notes and checkpoints.


def decode64(text, what):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Wrong(f"{what} is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise Wrong(f"{what} is not canonical base64")
    return data


def decimal(text, what):
    if not text.isascii() or not text.isdigit() or (text[0] == "0" and text != "0"):
        raise Wrong(f"{what} is not a decimal number")
    return int(text)


def parse_vkey(text):
    name, _, rest = text.strip().partition("+")
    key_id, _, key = rest.partition("+")
    data = decode64(key, "the key")
    if len(data) != 33 or data[0] != 1:
        raise Wrong("the key is no Ed25519 key")
    expected = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    if expected.hex() != key_id:
        raise Wrong("the key's id is not that of its name and bytes")
    return name, expected, data[1:]


def open_checkpoint(note, vkey):
    """Origin, size and root of a checkpoint that the key signed."""
    name, key_id, public = parse_vkey(vkey)
    try:
        note = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Wrong("the checkpoint is not UTF-8") from error
    if any(ord(c) < 32 and c != "\n" for c in note):
        raise Wrong("the checkpoint has control characters")
    at = note.rfind("\n\n")
    if at < 0 or not note.endswith("\n"):
        raise Wrong("the checkpoint is no signed note")
    text, lines = note[: at + 1], note[at + 2 : -1].split("\n")
    signed = False
    for line in lines:
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014":
            raise Wrong("a signature line has another form")
        signature = decode64(parts[2], "a signature")
        if parts[1] != name or signature[:4] != key_id:
            continue
        if not ed25519_verify(public, text.encode(), signature[4:]):
            raise Wrong("the signature is wrong")
        signed = True
    if not signed:
        raise Wrong(f"the checkpoint is not signed by {name}")
    fields = text.split("\n")[:-1]
    if len(fields) < 3 or "" in fields:
        raise Wrong("the checkpoint has too few lines, or an empty one")
    if fields[0] != name:
        raise Wrong("the checkpoint's origin is not the name of the key")
    root = decode64(fields[2], "the root")
    if len(root) != 32:
        raise Wrong("the root is no SHA-256 hash")
    return fields[0], decimal(fields[1], "the size"), root


# Tiles.


def tile_path(level, number, width):
    parts = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        parts.insert(0, f"x{number % 1000:03}")
    suffix = "" if width == 256 else f".p/{width}"
    return f"tile/{level}/{'/'.join(parts)}{suffix}"


def read(directory, path):
    try:
        with open(os.path.join(directory, path), "rb") as file:
            return file.read()
    except OSError as error:
        raise Wrong(f"{path} can't be read: {error.strerror}") from error


def entries_of(data, path):
    entries, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        entry = data[at + 2 : at + 2 + length]
        if at + 2 + length > len(data):
            raise Wrong(f"{path} ends inside an entry")
        entries.append(entry)
        at += 2 + length
    return entries


def check_tiles(directory, level, hashes):
    """Compare all tiles of a level with the hashes they must hold; the hashes of the full ones."""
    full = []
    for number in range((len(hashes) + 255) // 256):
        tile = hashes[number * 256 : number * 256 + 256]
        path = tile_path(level, number, len(tile))
        if read(directory, path) != b"".join(tile):
            raise Wrong(f"{path} does not hold the hashes of the entries")
        if len(tile) == 256:
            full.append(tree_hash(tile))
    return full


def verify_tiles(directory, vkey):
    origin, size, root = open_checkpoint(read(directory, "checkpoint"), vkey)
    leaves = []
    for number in range((size + 255) // 256):
        width = min(256, size - number * 256)
        path = tile_path("entries", number, width)
        entries = entries_of(read(directory, path), path)
        if len(entries) != width:
            raise Wrong(f"{path} holds {len(entries)} entries instead of {width}")
        leaves.extend(leaf_hash(entry) for entry in entries)
    if tree_hash(leaves) != root:
        raise Wrong(f"the {size} entries do not have the root that the checkpoint signs")
    level, hashes = 0, leaves
    while hashes:
        hashes = check_tiles(directory, level, hashes)
        level += 1
    return f"ok: {size} entries and {level} levels of tiles are those that {origin} signed"


def verify_proof(path, vkey):
    with open(path, "rb") as file:
        data = file.read()
    head, blank, note = data.partition(b"\n\n")
    lines = head.decode("utf-8", "replace").split("\n")
    if not blank or lines[0] != "c2sp.org/tlog-proof@v1":
        raise Wrong("this is no proof")
    if len(lines) < 3 or not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise Wrong("the proof holds no entry, or no index")
    entry = decode64(lines[1][6:], "the entry")
    index = decimal(lines[2][6:], "the index")
    hashes = [decode64(line, "a hash") for line in lines[3:]]
    if any(len(item) != 32 for item in hashes):
        raise Wrong("a line of the proof is no SHA-256 hash")
    origin, size, root = open_checkpoint(note, vkey)
    if not verify_inclusion(leaf_hash(entry), index, size, hashes, root):
        raise Wrong(f"this is not entry {index} of the {size} that {origin} signed")
    return f"ok: entry {index} ({len(entry)} bytes) is among the {size} that {origin} signed"


def main(arguments):
    commands = {"tiles": verify_tiles, "proof": verify_proof}
    if len(arguments) != 3 or arguments[0] not in commands:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        print(commands[arguments[0]](arguments[1], arguments[2]))
        return 0
    except (Wrong, OSError) as error:
        print(f"not shown: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
