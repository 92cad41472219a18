# SPDX-License-Identifier: Apache-2.0
"""Kernels that are a few instructions."""
import struct

HEADER = struct.pack("<2I6Q2I", 0x14000010, 0, 0, 0x1000, 0xA, 0, 0, 0, 0x644D5241, 0)

# SCHEDOP_shutdown with SHUTDOWN_crash:
# mov x16, #29; mov x0, #2; adr x1, reason; hvc #0xea1; b .; reason: .word 3
ARM_CRASHES = (HEADER + struct.pack("<6I", 0xD28003B0, 0xD2800040, 0x10000061, 0xD401D422, 0x14000000,
                                    3)).ljust(4096, b"\0")

# wfi; b .-4.
ARM_SLEEPS = (HEADER + struct.pack("<2I", 0xD503207F, 0x17FFFFFF)).ljust(4096, b"\0")

# ---- x86-64 ----

ENTRY = 0x100000
NOTE = struct.pack("<3I4sI", 4, 4, 18, b"Xen\0", ENTRY)
LOAD, NOTES = 1, 4


def elf(*segments, machine=62, notes=NOTE, code=b"\xf4"):
    """A small ELF file: segments are (guest address, bytes in the file, bytes in memory)."""
    offset = 64 + 56 * (len(segments) + 1)
    headers = struct.pack("<2I6Q", NOTES, 4, offset, 0, 0, len(notes), len(notes), 4)
    body = notes.ljust(64, b"\0")
    for address, in_file, in_memory in segments:
        headers += struct.pack("<2I6Q", LOAD, 7, offset + len(body), address, address, in_file,
                               in_memory, 4096)
        body += (code * 4096)[:min(in_file, 4096)]
    return struct.pack("<16sHHI3QI6H", b"\x7fELF\2\1\1", 2, machine, 1, 0, 64, 0, 0, 64, 56,
                       len(segments) + 1, 0, 0, 0) + headers + body


# How a domain crashes, by architecture; on x86-64: ud2, for which there is no handler.
CRASHES = {"arm64": ARM_CRASHES, "x86_64": elf((ENTRY, 4096, 4096), code=b"\x0f\x0b")}

# What waits for interrupts for ever; on x86-64: sti; hlt; and again.
SLEEPS = {"arm64": ARM_SLEEPS, "x86_64": elf((ENTRY, 4096, 4096), code=b"\xfb\xf4\xeb\xfc")}
