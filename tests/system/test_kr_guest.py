# SPDX-License-Identifier: Apache-2.0
"""kr in a real dom0 of each architecture: guests made, run and ended with Debian's store daemon and our console daemon beside it."""
import json
import re
import shutil
import subprocess

import machine as machines
import pytest

from dom0 import Dom0


@pytest.fixture(scope="module", params=["arm64", "x86_64"])
def dom0(request, tmp_path_factory):
    arch = request.param
    folder = tmp_path_factory.mktemp("extra")
    programs = [machines.BUILD / "tools" / arch / name for name in ("kr", "kr-consoled")]
    subprocess.run(["make", "-C", str(machines.TOP), "O=%s" % machines.BUILD] + [str(p) for p in programs], check=True,
                   stdout=subprocess.DEVNULL)
    assert programs[0].stat().st_size < 2 << 20
    (folder / "usr/sbin").mkdir(parents=True)
    for program in programs:
        shutil.copy(program, folder / "usr/sbin")
    with Dom0("krypton", "kr-guest-" + arch, arch=arch, extra=str(folder)) as machine:
        yield machine


def kr(dom0, command, seconds=60):
    """What kr COMMAND --json prints; it must succeed."""
    return json.loads(dom0.ok("kr %s --json 2>/dev/null" % command, seconds))


def domains(dom0):
    return {d["name"]: d for d in kr(dom0, "list")["domains"]}


def refused(dom0, command):
    status, text = dom0.run("kr " + command)
    assert status == 1, text
    return text


def state(dom0):
    """What a guest that has ended must leave as it was: nodes with a value, loop devices, interfaces, domains."""
    return (dom0.ok("xenstore-ls -f | grep -v '^/tool\\|= \"\"$'"),
            dom0.ok("losetup -a"), dom0.ok("ls /sys/class/net"), list(domains(dom0)))


@pytest.fixture
def nothing_is_left(dom0):
    before, free = state(dom0), kr(dom0, "info")["free_mib"]
    assert before[-1] == ["Domain-0"]
    yield
    for name in domains(dom0):      # so that a failure does not become that of the next test
        if name != "Domain-0":
            dom0.ok("kr destroy %s" % name)
    assert state(dom0) == before
    # Linux gives pages of its own away, 2 MiB at a time, to have room for mappings.
    assert abs(kr(dom0, "info")["free_mib"] - free) <= 8


def test_the_machine_is_described(dom0, nothing_is_left):
    info = kr(dom0, "info")
    assert info["extra"] == "-krypton" and info["cpus"] == 2
    assert 0 < info["free_mib"] < info["memory_mib"]
    assert "Krypton" in dom0.ok("kr dmesg")


def test_a_guest_lives_from_create_to_destroy(dom0, nothing_is_left):
    """With a disk and an address; Xen's own tools see it too."""
    dom0.ok("config a \"disk=['/guest/disk.img,raw,xvda,w']\" \"vif=['bridge=xenbr0']\"; "
            "kr create -p /tmp/a.cfg vcpus=2 maxvcpus=3", 60)
    assert domains(dom0)["a"]["state"] == "paused"
    assert domains(dom0)["a"]["memory_kib"] in range(96 << 10, (96 << 10) + 9)
    dom0.ok("kr unpause a; booted a 60", 70)
    assert domains(dom0)["a"]["state"] == "running"
    assert dom0.ok("inside a nproc").strip() == "2"
    assert "hello from the disk" in dom0.ok("inside a 'mount /dev/xvda /mnt && cat /mnt/hello && umount /mnt'")
    dom0.ok("inside a 'ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up'; "
            "until_true 20 ping -c 1 -W 1 10.0.0.2", 40)
    assert re.search(r"(?m)^a +\d", dom0.ok("xl list"))
    dom0.ok("kr pause a")
    assert domains(dom0)["a"]["state"] == "paused"
    dom0.ok("kr unpause a; kr shutdown a; until_true 40 sh -c 'kr list | grep \"a .*shut down\"'", 60)
    dom0.ok("kr destroy a")


def test_a_console_shows_the_guest(dom0, nothing_is_left):
    # Its input ends, and with it the console, when the guest is up.
    text = dom0.ok("config c; booted c 100 | kr create /tmp/c.cfg --console", 110)
    assert "c is domain" in text and "KRYPTON-GUEST up name=c" in text


def test_a_running_guest_is_changed_and_its_console_survives_the_daemon(dom0, nothing_is_left):
    dom0.ok("config k; kr create /tmp/k.cfg vcpus=2; booted k 100", 120)
    # The daemon is an ordinary user, whose console nobody else may open.
    assert dom0.ok("grep ^Uid: /proc/$(cat /run/consoled.pid)/status").split()[1:] == ["65534"] * 4
    dom0.ok("kr vcpu-set k 1; until_true 60 sh -c 'kr vcpu-list k | grep offline'", 80)
    assert dom0.ok("inside k nproc").strip() == "1"
    dom0.ok("kr mem-set k 72; until_true 60 sh -c 'kr list k | grep \" 72$\"'", 80)
    dom0.ok("kr vcpu-pin k all 1")
    assert {v["may_run_on"] for v in kr(dom0, "vcpu-list k")["vcpus"]} == {"1"}
    dom0.ok("kill -9 $(cat /run/consoled.pid); sleep 1; kr pause k; kr unpause k; "
            "kr-consoled --pid-file=/run/consoled.pid --log=guest --log-dir=/var/log/xen/console")
    assert dom0.ok("inside k 'echo the daemon is new'").strip() == "the daemon is new"
    # More than the ring, the terminal that nobody reads and a tick's budget hold: all of it is in the log.
    dom0.ok("inside k 'head -c 300000 /dev/zero | tr \"\\000\" x' 120 >/dev/null", 140)
    assert dom0.ok("tr -cd x <$(log_of k) | wc -c").strip() >= "300000"
    assert dom0.ok("kr log k | grep -c 'up name=k'").strip() == "1"
    dom0.ok("kr rename k other")
    assert domains(dom0)["other"]["state"] == "running"


def test_a_card_is_set_up_as_asked(dom0, nothing_is_left):
    dom0.ok("config n \"vif=['mac=00:16:3e:00:00:01,vifname=cardn,rate=1MB/s@20ms', '']\"; kr create -p /tmp/n.cfg", 60)
    id = domains(dom0)["n"]["domid"]
    assert dom0.ok("cat /sys/class/net/cardn/brport/state /sys/class/net/vif%d.1/brport/state" % id)
    back = "/local/domain/0/backend/vif/%d/0/" % id
    assert dom0.ok("xenstore-read %srate %smac" % (back, back)).split() == ["20000,20000", "00:16:3e:00:00:01"]
    assert "another domain has the address" in refused(
        dom0, "create /tmp/n.cfg \"name='m'\" \"vif=['mac=00:16:3e:00:00:01']\"")


def test_what_is_refused_in_dom0(dom0, nothing_is_left):
    dom0.ok("config b; kr create -p /tmp/b.cfg", 60)
    assert "the name b is domain" in refused(dom0, "create /tmp/b.cfg")
    assert "there is no domain with the name c" in refused(dom0, "pause c")
    assert "there is no domain with the number 77" in refused(dom0, "destroy 77")
    dom0.ok("kr destroy b")
    assert "not enough free memory" in refused(dom0, "create /tmp/b.cfg memory=100000")
    assert "there is no bridge nobridge; there are: xenbr0" in refused(
        dom0, "create /tmp/b.cfg \"vif=['bridge=nobridge']\"")


def test_a_create_that_is_interrupted_leaves_nothing(dom0, nothing_is_left):
    dom0.ok("config i \"disk=['/guest/disk.img,raw,xvda,w']\" \"vif=['']\"")
    for tenths in (1, 3, 6, 10, 15):
        dom0.run("kr create /tmp/i.cfg & usleep %d00000; kill -TERM $!; wait" % tenths, 60)
        dom0.run("kr destroy i")    # if it was faster than the signal
