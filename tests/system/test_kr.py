# SPDX-License-Identifier: Apache-2.0
"""kr where no hypervisor is needed: it judges and plans, explains, and says what is wrong with how it was called."""
import gzip
import json
import os
import pathlib
import re
import struct
import subprocess
import textwrap

import machine as machines
import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
KR = machines.BUILD / "tools/host/kr"


@pytest.fixture(scope="module", autouse=True)
def built():
    machines.made(KR)


def kr(*args):
    run = subprocess.run([str(KR)] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         universal_newlines=True, timeout=machines.PATIENCE * machines.SLOW)
    assert "ERROR: " not in run.stderr, run.stderr  # the sanitizers
    return run


def planned(*args):
    run = kr("create", "--dry-run", "--json", *args)
    return run.returncode, json.loads(run.stdout)


def image():
    """A small arm64 Image."""
    head = struct.pack("<II QQQ", 0, 0, 0, 1 << 20, 0xa) + bytes(24) + b"ARM\x64" + bytes(4)
    return head + bytes(range(256)) * 16


@pytest.fixture
def guest(tmp_path):
    """A sound Arm guest with a disk, and how to change it: guest(KEY=VALUE...) -> path of its file."""
    (tmp_path / "kernel").write_bytes(image())
    (tmp_path / "disk").write_bytes(bytes(1 << 20))

    def make(*lines):
        path = tmp_path / "guest.cfg"
        text = ["name = 'guest'", "kernel = '%s/kernel'" % tmp_path, "memory = 64",
                "disk = [ '%s/disk,raw,xvda,rw' ]" % tmp_path]
        path.write_text("\n".join(text + list(lines)) + "\n")
        return path

    make.folder = tmp_path
    return make


def test_a_sound_guest_is_shown_and_planned(guest):
    status, shown = planned("--arch", "arm64", guest("vcpus = 2", "extra = 'quiet'"))
    assert status == 0 and "faults" not in shown
    assert shown["name"] == "guest" and shown["vcpus"] == 2 and shown["cmdline"] == "quiet"
    assert [p["what"] for p in shown["layout"]] == ["kernel", "device tree"]
    assert shown["entry"] == "0x40000000"
    assert shown["disks"][0]["number"] == 202 << 8
    text = kr("create", "-n", "--arch", "arm64", guest()).stdout
    assert "guest: a PVH guest for arm64" in text and "starts at 0x40000000" in text


def test_operands_replace_keys(guest):
    _, shown = planned("--arch", "arm64", guest("vcpus = 1"), "vcpus=3", "name='other'")
    assert shown["vcpus"] == 3 and shown["name"] == "other"


def test_a_packed_kernel_is_said_to_be_packed(guest):
    path = guest()
    (guest.folder / "kernel").write_bytes(gzip.compress(image()))
    assert planned("--arch", "arm64", path)[1]["kernel_format"] == "gzip"


@pytest.mark.parametrize("spoil, reason, says", [
    (lambda d: (d / "kernel").unlink(), "FILE_MISSING", "kernel: the kernel cannot be opened"),
    (lambda d: (d / "kernel").write_bytes(b""), "FILE_EMPTY", "the kernel is an empty file"),
    (lambda d: (d / "kernel").write_bytes(image()[:40]), "KERNEL_TRUNCATED", "40 bytes"),
    (lambda d: (d / "kernel").write_bytes(gzip.compress(image())[:-9]), "PAYLOAD_DAMAGED", "ends in the middle"),
    (lambda d: (d / "kernel").write_bytes(b"\x7fELF" + bytes(100)), "KERNEL_FORMAT", "an ELF file, not an Image"),
    (lambda d: (d / "disk").unlink(), "DISK_MISSING", "disk xvda"),
    (lambda d: (d / "disk").write_bytes(b""), "DISK_EMPTY", "is empty"),
    (lambda d: (d / "disk").write_bytes(bytes(513)), "DISK_SIZE", "513 bytes"),
    (lambda d: ((d / "disk").unlink(), (d / "disk").mkdir()), "DISK_KIND", "a directory"),
    (lambda d: ((d / "disk").unlink(), os.mkfifo(d / "disk")), "DISK_KIND", "a special file"),
])
def test_what_the_guest_stands_on_is_judged(guest, spoil, reason, says):
    path = guest()
    spoil(guest.folder)
    status, shown = planned("--arch", "arm64", path)
    assert status == 1
    assert [f["reason"] for f in shown["faults"]] == [reason]
    assert says in shown["faults"][0]["message"] and shown["faults"][0]["advice"]


def test_a_disk_is_not_given_twice_to_write(guest):
    disk = guest.folder / "disk"
    path = guest("disk += [ '%s,raw,xvdb,r' ]" % disk)
    status, shown = planned("--arch", "arm64", path)
    assert status == 1 and shown["faults"][0]["reason"] == "DISK_SHARED"


def test_a_bridge_that_is_missing_is_named(guest):
    status, shown = planned("--arch", "arm64", guest("vif = [ 'bridge=nosuchbridge' ]"))
    assert status == 1 and "no bridge nosuchbridge" in shown["faults"][0]["message"]
    status, shown = planned("--arch", "arm64", guest("vif = [ 'bridge=lo' ]"))
    assert status == 1 and "lo is a network interface, but no bridge" in shown["faults"][0]["message"]


def test_all_faults_of_a_file_are_told_at_once(guest):
    run = kr("create", "-n", guest("vcpu = 2", "hap = 0", "memory = 32"))
    assert run.returncode == 1 and run.stdout == ""
    assert "guest.cfg:7:1: memory is set for the second time: first in line 3" in run.stderr
    run = kr("create", "-n", "--arch", "arm64", guest("vcpu = 2", "hap = 0"))
    assert "guest.cfg:5:1: there is no key vcpu: did you mean vcpus?" in run.stderr
    assert "guest.cfg:6:7: hap=0" in run.stderr


def test_the_page_for_new_users_says_what_is_said(tmp_path):
    """docs/getting-started.md: its debian.cfg, and what it shows of a misspelt one."""
    page = (TOP / "docs/getting-started.md").read_text()
    text = re.search(r"`debian.cfg`:\n\n((?:    .*\n)+)", page).group(1)
    (tmp_path / "debian.cfg").write_text(textwrap.dedent(text))
    status, shown = planned("--arch", "x86_64", tmp_path / "debian.cfg")
    assert shown["name"] == "debian" and {f["reason"] for f in shown["faults"]} <= {"FILE_MISSING", "DISK_MISSING", "NO_BRIDGE"}, shown
    (tmp_path / "debian.cfg").write_text(textwrap.dedent(text).replace("memory", "memroy"))
    said = subprocess.run([str(KR.resolve()), "create", "--dry-run", "debian.cfg"], cwd=tmp_path, stderr=subprocess.PIPE, universal_newlines=True).stderr
    assert textwrap.indent(said, "    ") in page, said


def test_mistakes_in_the_call():
    for args, says in [((["creat"]), "did you mean create?"), (["create"], "which configuration file?"),
                       (["create", "--dyr-run", "x"], "there is no option --dyr-run"),
                       (["create", "--arch"], "--arch needs an argument"),
                       (["log", "-xf", "a"], "there is no option -x\n"), (["log", "--follow=1", "a"], "--follow takes no argument"),
                       (["create", "-n", "--arch", "vax", "x"], "x86_64 or arm64"),
                       (["top"], "this is no terminal"), (["log", "--json", "-f", "a"], "does not end"),
                       (["log"], "one domain"), (["vcpu-set", "a"], "something is missing"),
                       (["explain"], "one reason is expected"), (["help", "nothing"], "there is no command")]:
        run = kr(*args)
        assert run.returncode == 2 and says in run.stderr, (args, run)


def test_every_reason_is_explained():
    for table, prefix in [("tools/lib/faults.def", "FAULT(F_"), ("hv/include/hv/reasons.def", "REASON(R_")]:
        names = [line[len(prefix):].split(",")[0] for line in (TOP / table).read_text().splitlines()
                 if line.startswith(prefix)]
        assert len(names) > 20
        every = json.loads(kr("explain", "--json", "").stdout)
        assert all(every[name]["meaning"] and every[name]["advice"] for name in names)
        for name in (names[0], names[-1]):
            for spelt in (name, prefix[-2:] + name.lower()):
                run = kr("explain", spelt)
                assert run.returncode == 0 and run.stdout.startswith(name + "\n") and "advice:" in run.stdout
    assert kr("explain", "no such thing").returncode == 1
    found = json.loads(kr("explain", "--json", "bridge").stdout)
    assert "NO_BRIDGE" in found


def test_every_command_is_in_help_and_in_the_manual():
    manual = (TOP / "tools/ctl/kr.1").read_text()
    listed = json.loads(kr("help", "--json").stdout)
    assert "create" in listed
    for name in listed:
        said = kr(name, "--help").stdout
        assert said.startswith("usage: kr %s" % name)
        assert name == "help" or "\n  kr %s" % name in said, "no example of %s" % name
        assert "\n.It Cm %s" % name in manual, "kr.1 lacks %s" % name
        if name not in ("create", "help"):      # a program gets JSON also when it has called kr wrongly
            run = kr(name, "--json", "--no-such-option")
            fault = json.loads(run.stdout)["faults"][0]
            assert run.returncode == 2 and fault["reason"] == "USAGE" and "--no-such-option" in fault["message"]


@pytest.mark.parametrize("command", [
    ["list"], ["info"], ["dmesg"], ["pause", "a"], ["destroy", "1"], ["shutdown", "a"], ["rename", "a", "b"], ["vcpu-list"],
    ["vcpu-set", "a", "1"], ["vcpu-pin", "a", "0", "0"], ["mem-set", "a", "1"], ["mem-max", "a", "1"], ["block-list"], ["block-attach", "a", "/x,raw,xvdb,r"], ["block-detach", "a", "xvdb"],
    ["network-attach", "a"], ["network-detach", "a", "0"],
    ["network-list", "a"], ["console", "a"], ["reboot", "a"], ["unpause", "a"], ["debug-key", "h"], ["sched"], ["cpupool"], ["events"], ["top"], ["log", "1"]])
def test_without_a_hypervisor_the_cause_is_said(command):
    run = kr(command[0], "--json", *command[1:])
    assert run.returncode == 1
    assert json.loads(run.stdout)["faults"][0]["reason"] == "NO_HYPERVISOR"
    assert run.stderr.startswith("kr: ") and run.stderr.count("\n") == 1, run.stderr


def test_a_log_that_is_not_there_is_said():
    run = kr("log", "--json", "nobody-has-this-name")
    assert run.returncode == 1 and json.loads(run.stdout)["faults"][0]["reason"] == "FILE_MISSING"
    assert "NO_SUCH_DOMAIN" in kr("log", "../../etc/passwd").stderr


def test_a_closed_output_is_a_failure():
    with open("/dev/full", "w") as full:
        run = subprocess.run([str(KR), "help"], stdout=full, stderr=subprocess.PIPE, universal_newlines=True)
    assert run.returncode == 1 and "standard output" in run.stderr
