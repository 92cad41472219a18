# SPDX-License-Identifier: Apache-2.0
"""What ./run boots, on this terminal: dom0, on x86_64 with a disk and a network card, and a boot-time domain."""
import os
import sys

from machine import BUILD, Domain, Kernel, Machine

arch, options = sys.argv[1], sys.argv[2:]
if arch == "x86_64":
    disk = BUILD / "logs/run/disk"
    disk.parent.mkdir(parents=True, exist_ok=True)
    if not disk.exists():
        with open(disk, "wb") as file:
            file.truncate(64 << 20)
    machine = Machine("krypton", arch=arch, options=" ".join(["console=com1 dom0_mem=512M"] + options),
                      dom0=Kernel("kernel", "kmods=ahci,sd_mod,e1000e", "machine"),
                      domains=[Domain("guest", memory=256, cpus=1)], disk=disk, network=True)
else:
    machine = Machine("krypton", options=" ".join(["dom0_mem=512M"] + options),
                      dom0=Kernel("cloud"), domains=[Domain("guest", memory=256, cpus=1)])
command = machine.command(BUILD / "logs" / "run", interactive=True)
print("Booting. Ctrl-a three times moves the keyboard to the next domain; Ctrl-] x leaves.",
      flush=True)
os.execvp(command[0], command)
