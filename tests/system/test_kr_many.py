# SPDX-License-Identifier: Apache-2.0
"""What the daemons of a hundred guests need; docs/performance.md has what was measured."""
import json
import shutil

import machine as machines
import pytest

from dom0 import Dom0
from guests import SLEEPS

PROGRAMS = ("kr", "kr-consoled", "kr-stored", "kr-supervisor")
GUESTS = 100
MOST_KIB = 32 << 10


def resident(dom0):
    """KiB of each daemon, all its processes together."""
    text = dom0.ok("for name in kr-stored kr-consoled kr-supervisor; do for pid in $(pidof $name); do "
                   "echo $name $(sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$pid/status); done; done")
    sizes = {}
    for name, kib in (line.split() for line in text.splitlines()):
        sizes[name] = sizes.get(name, 0) + int(kib)
    assert sorted(sizes) == ["kr-consoled", "kr-stored", "kr-supervisor"], text
    return sizes


@pytest.mark.full
@pytest.mark.parametrize("arch", ["arm64", "x86_64"])
def test_the_daemons_of_a_hundred_guests_are_small(arch, tmp_path):
    programs = [machines.BUILD / "tools" / arch / name for name in PROGRAMS]
    machines.made(*programs)
    (tmp_path / "usr/sbin").mkdir(parents=True)
    for program in programs:
        shutil.copy(program, tmp_path / "usr/sbin")
    (tmp_path / "guest").mkdir()
    (tmp_path / "guest/sleeps").write_bytes(SLEEPS[arch])
    with Dom0("krypton", "kr-many-" + arch, arch=arch, extra=str(tmp_path), store="kr-stored --pid-file /run/xenstored.pid") as dom0:
        dom0.ok("kr-supervisor --pid-file=/run/supervisor.pid")
        before = resident(dom0)
        for first in range(1, GUESTS, 20):
            dom0.ok("for n in $(seq %d %d); do printf '%%s\\n' \"name='n$n'\" \"type='pvh'\" memory=4 \"kernel='/guest/sleeps'\" >/tmp/n.cfg; "
                    "kr create -p /tmp/n.cfg; done" % (first, first + 19), 300)
        # Each has its terminal, and its log is open.
        dom0.ok("until_true 60 sh -c '[ $(ls /dev/pts | wc -l) -gt %d ]'" % GUESTS, 90)
        listed = json.loads(dom0.ok("kr list --json"))["domains"]
        assert len([d for d in listed if d["state"] == "paused"]) == GUESTS
        sizes = resident(dom0)
        print(arch, before, sizes)
        assert sum(sizes.values()) < MOST_KIB, (before, sizes)
