# SPDX-License-Identifier: Apache-2.0
"""Packed kernels: Debian's, packed again in each format that Linux can be packed with, and damaged."""
import gzip
import lzma
import struct
import subprocess

import pytest

from machine import CACHE, Domain, Machine, image

PAYLOAD, SYSSIZE = 0x248, 0x1F4     # fields of the setup header (Linux, boot.rst)


def tool(*command):
    return lambda data: subprocess.run(command, input=data, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, check=True).stdout


# name, how it is packed
FORMATS = {
    "gzip": lambda data: gzip.compress(data, 1),
    "zstd": tool("zstd", "-q", "-3", "-c"),
    "xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32, preset=0),
    "lz4": tool("lz4", "-q", "-l", "-c", "-"),
}


class BzImage:
    def __init__(self, data):
        self.data = data
        self.body = (data[0x1F1] + 1) * 512
        offset, self.size = struct.unpack_from("<2I", data, PAYLOAD)
        self.start = self.body + offset

    def unpacked(self):
        return lzma.LZMADecompressor().decompress(self.data[self.start:self.start + self.size])

    def with_payload(self, payload):
        data = bytearray(self.data[:self.start] + payload)
        data += bytes(-(len(data) - self.body) % 16)
        struct.pack_into("<I", data, PAYLOAD + 4, len(payload))
        struct.pack_into("<I", data, SYSSIZE, (len(data) - self.body) // 16)
        return bytes(data)


def packed(name, data):
    """As the build of Linux does it: the unpacked size last, which gzip has of itself."""
    return FORMATS[name](data) + (b"" if name == "gzip" else struct.pack("<I", len(data)))


@pytest.fixture(scope="module")
def debian():
    return BzImage((CACHE / "x86_64/kernel/vmlinuz").read_bytes())


@pytest.fixture(scope="module")
def elf(debian):
    return debian.unpacked()


def test_each_format_starts(boot, tmp_path, debian, elf):
    """A domain of each; what Debian has packed with xz is left as it is."""
    domains = []
    for name in FORMATS:
        (tmp_path / name).write_bytes(debian.data if name == "xz" else debian.with_payload(packed(name, elf)))
        domains.append(Domain(name, tmp_path / name, memory=192))
    run = boot(arch="x86_64", options="console=com1", domains=domains, memory=3072)
    for name in FORMATS:
        run.expect_text(r"Command line: [^\n]*kname=%s " % name, 300)


# What is done to a payload. The size of what it unpacks to stays last, or the boot says that that is absurd.
DAMAGE = {
    "cut": lambda p: p[:len(p) // 2] + p[-4:],
    "flipped": lambda p: p[:len(p) // 2] + bytes(b ^ 0xFF for b in p[len(p) // 2:][:512]) + p[len(p) // 2 + 512:],
    "longer": lambda p: p[:-4] + struct.pack("<I", struct.unpack("<I", p[-4:])[0] - 4096),
}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory, debian, elf):
    """Of a part of the kernel: it is never looked at."""
    folder = tmp_path_factory.mktemp("payloads")
    domains = []
    for name in FORMATS:
        payload = packed(name, elf[:4 << 20])
        for damage, change in DAMAGE.items():
            if (name, damage) == ("lz4", "flipped"):
                continue
            path = folder / ("%s-%s" % (name, damage))
            path.write_bytes(debian.with_payload(change(payload)))
            domains.append(Domain(path.name, path, memory=64))
    machine = Machine("krypton", arch="x86_64", options="console=com1", memory=3072,
                      domains=domains + [Domain("good")])
    with machine.boot("x86-damaged-payloads") as run:
        run.expect_guest("good", 300)
        yield run


# LZ4 as Linux has it carries no checksum: bytes that are wrong come out wrong.
@pytest.mark.parametrize("name,damage", [(n, d) for n in FORMATS for d in DAMAGE
                                         if (n, d) != ("lz4", "flipped")])
def test_a_damaged_payload_is_named_and_not_started(damaged, name, damage):
    lines = [line for line in damaged.text().splitlines() if "/chosen/%s-%s/" % (name, damage) in line]
    assert any("%s payload is damaged" % name in line or "truncated kernel" in line for line in lines), lines
    assert ": %s-%s: 64 MiB" % (name, damage) not in damaged.text()


def test_an_arm_kernel_packed_with_gzip_boots(boot, tmp_path):
    """Twice: what was unpacked is what the domain is built from again."""
    image_file = (CACHE / "arm64/cloud/vmlinuz").read_bytes()
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_bytes(gzip.compress(image_file, 1))
    bad.write_bytes(DAMAGE["flipped"](good.read_bytes()))
    run = boot(domains=[Domain("packed", good, initrd=image("arm64", "cloud"), memory=256),
                        Domain("bad", bad, initrd=image("arm64", "cloud"), memory=256)], memory=3072)
    run.expect_guest("packed", 120)
    assert "gzip payload is damaged" in run.text()
    run.line("reboot -f")
    run.expect_guest("packed", 120)
