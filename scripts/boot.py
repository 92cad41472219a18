# SPDX-License-Identifier: Apache-2.0
"""What ./run boots, on this terminal: dom0 and a boot-time domain; two of these on x86_64."""
import os
import sys

from machine import BUILD, Domain, Kernel, Machine

arch, options = sys.argv[1], sys.argv[2:]
if arch == "x86_64":
    machine = Machine("krypton", arch=arch, options=" ".join(["console=com1"] + options),
                      domains=[Domain("first", memory=256, cpus=2), Domain("second", memory=256)])
else:
    machine = Machine("krypton", options=" ".join(["dom0_mem=512M"] + options),
                      dom0=Kernel("cloud"), domains=[Domain("guest", memory=256, cpus=1)])
command = machine.command(BUILD / "logs" / "run", interactive=True)
print("Booting. Ctrl-a three times moves the keyboard to the next domain; Ctrl-] x leaves.",
      flush=True)
os.execvp(command[0], command)
