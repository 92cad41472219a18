# SPDX-License-Identifier: Apache-2.0
"""Kernels that are a few instructions."""
import struct

HEADER = struct.pack("<2I6Q2I", 0x14000010, 0, 0, 0x1000, 0xA, 0, 0, 0, 0x644D5241, 0)

SHUTDOWN, WATCHDOG = 2, 6       # of sched_op


def arm_sched_op(operation, *words, first=()):
    """mov x16, #29; mov x0, #operation; adr x1, words; first...; hvc #0xea1; 1: wfi; b 1b; words: .word ..."""
    code = [0xD28003B0, 0xD2800000 | operation << 5, 0x10000001 | (4 + len(first)) << 5, *first, 0xD401D422, 0xD503207F, 0x17FFFFFF]
    return (HEADER + struct.pack("<%dI" % (len(code) + len(words)), *code, *words)).ljust(4096, b"\0")


ARM_CRASHES = arm_sched_op(SHUTDOWN, 3)

# wfi; b .-4.
ARM_SLEEPS = (HEADER + struct.pack("<2I", 0xD503207F, 0x17FFFFFF)).ljust(4096, b"\0")

# ---- x86-64 ----

ENTRY = 0x100000
X86_WORDS = ENTRY + 0x100
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



def x86_sched_op(operation, *words, first=b""):
    """first...; sets up the hypercall page in its second page of memory, calls sched_op with its stack in the third, and waits: sti; hlt; and again."""
    page, data = ENTRY + 0x1000, X86_WORDS
    code = first + struct.pack("<BI", 0xBC, page + 0x2000)                              # mov $stack, %esp
    code += struct.pack("<BIBI4s", 0xB9, 0x40000000, 0xB8, page, b"\x31\xd2\x0f\x30")     # ecx: the MSR; eax: page; edx: 0; wrmsr
    code += struct.pack("<BIBI", 0xBB, operation, 0xB9, data)                   # ebx, ecx: the arguments
    code += struct.pack("<Bi", 0xE8, page + 29 * 32 - (ENTRY + len(code) + 5))  # call
    code += b"\xfb\xf4\xeb\xfc"
    return elf((ENTRY, 4096, 0x3000), code=(code.ljust(data - ENTRY, b"\0") + struct.pack("<%dI" % len(words), *words)).ljust(4096, b"\0"))


# A domain that makes one call of sched_op with `words` as its structure, and then waits for what comes.
SCHED_OP = {"arm64": arm_sched_op, "x86_64": x86_sched_op}

# What crashes after it has written WRITTEN, which is in its file the other way round, at this distance from its start.
WRITTEN = b"written by guest"
_words = [3, 0, 0, 0, *struct.unpack("<4I", WRITTEN[8:] + WRITTEN[:8])]
WRITES = {
    # ldp x2, x3, [x1, #16]; stp x3, x2, [x1, #32]
    "arm64": (arm_sched_op(SHUTDOWN, *_words, first=(0xA9410C22, 0xA9020823)), 64 + 8 * 4 + 32),
    # cld; mov $words + 24, %esi; mov $words + 32, %edi; movsl; movsl; mov $words + 16, %esi; movsl; movsl
    "x86_64": (x86_sched_op(SHUTDOWN, *_words, first=struct.pack("<BBIBI2sBI2s", 0xFC, 0xBE, X86_WORDS + 24, 0xBF, X86_WORDS + 32, b"\xa5\xa5",
                                                                 0xBE, X86_WORDS + 16, b"\xa5\xa5")), X86_WORDS - ENTRY + 32)}

# How a domain crashes, by architecture; on x86-64: ud2, for which there is no handler.
CRASHES = {"arm64": ARM_CRASHES, "x86_64": elf((ENTRY, 4096, 4096), code=b"\x0f\x0b")}

# What waits for interrupts for ever; on x86-64: sti; hlt; and again.
SLEEPS = {"arm64": ARM_SLEEPS, "x86_64": elf((ENTRY, 4096, 4096), code=b"\xfb\xf4\xeb\xfc")}
