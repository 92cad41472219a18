# SPDX-License-Identifier: Apache-2.0
"""A flattened device tree as Python objects: read, change, write (devicetree specification 0.4).

Names and properties keep their order. A property's value is bytes; cells(), u64() and
strings() make them.
"""
import struct

MAGIC, BEGIN, END, PROP, NOP, FINISH = 0xD00DFEED, 1, 2, 3, 4, 9


def cells(*values):
    """32-bit cells."""
    return struct.pack(">%dI" % len(values), *values)


def u64(*values):
    """64-bit numbers of two cells each: address or size where #...-cells is 2."""
    return struct.pack(">%dQ" % len(values), *values)


def strings(*values):
    return b"".join(v.encode() + b"\0" for v in values)


class Node:
    def __init__(self, name, **properties):
        """Properties: bytes, str (a string), True (empty), int (one cell). _ in a name is -."""
        self.name = name
        self.properties = {}
        self.children = []
        for key, value in properties.items():
            self.set(key.replace("_", "-"), value)

    def set(self, key, value):
        if value is True:
            value = b""
        elif isinstance(value, str):
            value = strings(value)
        elif isinstance(value, int):
            value = cells(value)
        self.properties[key] = value
        return self

    def add(self, child):
        self.children.append(child)
        return child

    def find(self, path):
        """The node at a path below this one, or None: find("chosen/module@b0000000")."""
        node = self
        for part in path.strip("/").split("/"):
            node = next((c for c in node.children if c.name == part), None) if part else node
            if node is None:
                return None
        return node

    def walk(self):
        yield self
        for child in self.children:
            yield from child.walk()


def read(blob):
    """The root node of a tree in flattened form."""
    magic, _, structure, names = struct.unpack_from(">4I", blob)
    if magic != MAGIC:
        raise ValueError("not a device tree")

    def text(at):
        return blob[at:blob.index(b"\0", at)].decode()

    at, path, root = structure, [], None
    while True:
        (token,) = struct.unpack_from(">I", blob, at)
        at += 4
        if token == BEGIN:
            node = Node(text(at))
            at += len(node.name) + 4 & ~3
            if path:
                path[-1].add(node)
            root = root or node
            path.append(node)
        elif token == END:
            path.pop()
        elif token == PROP:
            size, name = struct.unpack_from(">2I", blob, at)
            path[-1].properties[text(names + name)] = blob[at + 8:at + 8 + size]
            at += 8 + (size + 3 & ~3)
        elif token == FINISH:
            return root
        elif token != NOP:
            raise ValueError("bad token %d" % token)


def write(root, reserve=()):
    """The flattened form; reserve: (address, size) pairs for the reservation block."""
    names, offsets = bytearray(), {}

    def name_offset(name):
        if name not in offsets:
            offsets[name] = len(names)
            names.extend(name.encode() + b"\0")
        return offsets[name]

    def pad(data):
        return data + bytes(-len(data) % 4)

    def flat(node):
        out = cells(BEGIN) + pad(node.name.encode() + b"\0")
        for key, value in node.properties.items():
            out += cells(PROP, len(value), name_offset(key)) + pad(value)
        return out + b"".join(flat(c) for c in node.children) + cells(END)

    body = flat(root) + cells(FINISH)
    holes = b"".join(u64(a, n) for a, n in reserve) + u64(0, 0)
    structure = 40 + len(holes)
    total = structure + len(body) + len(names)
    header = cells(MAGIC, total, structure, structure + len(body), 40, 17, 16, 0, len(names),
                   len(body))
    return header + holes + body + bytes(names)
