# SPDX-License-Identifier: Apache-2.0
"""State records: the debug build's key saves each domain, loads it into itself and compares."""
import re

import pytest

from machine import BUILD, Domain


@pytest.mark.parametrize("arch", ["arm64", "x86_64"])
def test_saved_loaded_the_same_again(boot, arch):
    """Twice, and the domains go on: their clocks, timers, vCPUs and consoles."""
    hypervisor = BUILD / "debug" / ("krypton-" + arch)
    assert hypervisor.exists(), "%s: make O=$O/debug DEBUG=y first" % hypervisor
    run = boot(hypervisor, arch=arch, options="console=com1" if arch == "x86_64" else "", cpus=2,
               domains=[Domain("one", memory=128, cpus=2, args="quiet"),
                        Domain("two", memory=128, args="quiet")])
    run.expect_guests("one", "two", timeout=180)
    for _ in range(2):
        run.send("\x01\x01\x01")
        run.expect("Input to d2")
        run.send("\x01\x01\x01")
        run.expect("Input to Krypton")
        run.send("S")
        for name in ("d1", "d2"):
            match = run.expect(r"%s: state: ([^\r\n]*)\r*\n" % name, 30)
            assert re.match(rb"\d+ bytes saved, loaded, the same again", match.group(1)), match.group(1)
        run.send("\x01\x01\x01")
        run.expect("Input to d1")
        before = float(run.shell("cat /proc/uptime")[1].split()[0])
        assert run.shell("sleep 1; nproc")[1].split() == ["2"]
        after = float(run.shell("cat /proc/uptime")[1].split()[0])
        assert 1 <= after - before < 600
