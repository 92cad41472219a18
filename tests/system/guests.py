# SPDX-License-Identifier: Apache-2.0
"""Kernels that are a few instructions."""
import struct

HEADER = struct.pack("<2I6Q2I", 0x14000010, 0, 0, 0x1000, 0xA, 0, 0, 0, 0x644D5241, 0)

# SCHEDOP_shutdown with SHUTDOWN_crash:
# mov x16, #29; mov x0, #2; adr x1, reason; hvc #0xea1; b .; reason: .word 3
CRASHES = (HEADER + struct.pack("<6I", 0xD28003B0, 0xD2800040, 0x10000061, 0xD401D422, 0x14000000,
                                3)).ljust(4096, b"\0")

# Waits for interrupts for ever: wfi; b .-4.
SLEEPS = (HEADER + struct.pack("<2I", 0xD503207F, 0x17FFFFFF)).ljust(4096, b"\0")
