# SPDX-License-Identifier: Apache-2.0
"""Machines to boot hypervisors in: a description becomes a QEMU command line.

./run, tests/system and bench all describe what they want with Machine, Kernel and Domain.
The boot modules and the domains go into the device tree as the published bindings have it
(Arm multiboot modules under /chosen, `xen,domain` nodes), so the same description boots
Krypton and Debian's Xen.

QEMU's guest-loader can only write modules of dom0, so its tree is dumped, completed here and
given back with -dtb; the files are put in memory by its generic loader.
"""
import contextlib
import fcntl
import hashlib
import json
import lzma
import os
import pathlib
import re
import shlex
import shutil
import socket
import struct
import subprocess
import time

import pexpect

import fdt

TOP = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("KRYPTON_CACHE")
                     or pathlib.Path.home() / ".cache/krypton")
BUILD = pathlib.Path(os.environ.get("O", TOP / "build"))
MIB = 1 << 20
RAM = 0x40000000                # where the virt machine's memory starts
# Time limits are for an idle machine; a slow one multiplies them.
SLOW = float(os.environ.get("KRYPTON_SLOW", "1"))
PATIENCE = 60   # seconds: no limit is shorter, for none is waited for when all is well

QEMU = {"arm64": "qemu-system-aarch64", "x86_64": "qemu-system-x86_64"}


# At reset: x0 = the device tree (RAM + 160 MiB), x1 to x3 = 0, and to the image (RAM + 2 MiB).
STUB = struct.pack("<6I2Q", 0x580000C0, 0x580000E4, 0xAA1F03E1, 0xAA1F03E2, 0xAA1F03E3,
                   0xD61F0080, RAM + 160 * MIB, RAM + 2 * MIB)


# Arguments that shorten a boot where its kernel's own words and checks do not matter: amd64's without write protection does not walk all
# of its page tables for pages that can be written and executed, which is a tenth of its boot's instructions.
BRIEF = {"arm64": "quiet", "x86_64": "quiet rodata=off"}


class Kernel:
    """What a domain boots: a kernel with its command line, and an initial file system.

    kernel: "kernel" or "cloud" (Debian's, from the cache), "vmlinux" (x86-64: what "kernel" has packed with xz, which takes the
    emulated machine longer to unpack than the rest of its boot) or a path. initrd: a path, None, "auto" for the image made by
    images/initrd, or "machine" for the same with drivers of disks and network cards.
    """

    def __init__(self, kernel="cloud", args="", initrd="auto"):
        self.kernel, self.args, self.initrd = kernel, args, initrd

    def files(self, arch):
        """The paths of kernel and initrd (or None)."""
        if self.kernel in ("kernel", "cloud", "vmlinux"):
            name = "kernel" if self.kernel == "vmlinux" else self.kernel
            kernel = CACHE / arch / name / "vmlinuz"
            if self.kernel == "vmlinux":
                kernel = unpacked(kernel)
            initrd = self.initrd
            if initrd in ("auto", "machine"):
                initrd = image(arch, name, initrd == "machine")
        else:
            kernel = pathlib.Path(self.kernel)
            initrd = None if self.initrd == "auto" else self.initrd
        return kernel, pathlib.Path(initrd) if initrd else None


class Domain(Kernel):
    """A boot-time domain. Memory in MiB; properties: more for its node, or other values.

    Its console is the vPL011 when it has one, else the PV console, which needs `enhanced` (None:
    the domain is not told of the hypervisor).
    """

    def __init__(self, name, kernel="cloud", args="", initrd="auto", memory=128, cpus=1,
                 vpl011=False, enhanced="enabled", properties=None):
        super().__init__(kernel, args, initrd)
        self.name, self.memory, self.cpus = name, memory, cpus
        self.vpl011, self.enhanced, self.properties = vpl011, enhanced, properties or {}

    def node(self):
        node = fdt.Node(self.name, compatible="xen,domain", cpus=self.cpus,
                        memory=fdt.u64(self.memory * 1024))
        node.set("#address-cells", 2).set("#size-cells", 2)
        if self.vpl011:
            node.set("vpl011", True)
        if self.enhanced:
            node.set("xen,enhanced", self.enhanced)
        for key, value in self.properties.items():
            node.set(key, value)
        return node


def made(*paths):
    """Whoever runs a test makes what it runs: nothing is made while several processes share it."""
    for path in paths:
        assert pathlib.Path(path).exists(), "%s is not there: make all guests kr-host stored-test" % path


@contextlib.contextmanager
def alone():
    """One of several test processes at a time."""
    (BUILD / "images").mkdir(parents=True, exist_ok=True)
    with open(BUILD / "images/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@alone()
def unpacked(bzimage):
    """The ELF file in a bzImage that is packed with xz (Linux boot protocol: payload_offset, payload_length)."""
    path = BUILD / "images" / "vmlinux"
    if not path.exists() or path.stat().st_mtime < bzimage.stat().st_mtime:
        data = bzimage.read_bytes()
        offset, length = struct.unpack_from("<2I", data, 0x248)
        start = ((data[0x1f1] or 4) + 1) * 512 + offset
        new = path.with_suffix(".new")
        new.write_bytes(lzma.LZMADecompressor().decompress(data[start:start + length]))
        new.rename(path)
    return path


@alone()
def image(arch, kernel, machine=False):
    """images/initrd's result for a kernel, made when missing or older than its recipe."""
    path = BUILD / "images" / ("%s-%s%s.cpio" % (arch, kernel, "-machine" if machine else ""))
    recipe = [p for p in (TOP / "images").rglob("*") if p.is_file()]
    probe = BUILD / arch / "images" / "probe"
    if probe.exists():
        recipe.append(probe)
    recipe.append(CACHE / arch / kernel / "release")
    if not path.exists() or path.stat().st_mtime < max(p.stat().st_mtime for p in recipe):
        env = dict(os.environ, **({"KRYPTON_PROBE": str(probe)} if probe.exists() else {}))
        subprocess.run([TOP / "images/initrd", arch, kernel, path] + ["machine-modules"] * machine,
                       check=True, env=env)
    return path


@alone()
def dom0_image(arch, kernel, extra=None):
    """images/dom0's result for a kernel, made when what goes into it has changed: our own tools too, if they
    are built. extra: a folder that is copied over it."""
    tools = [p for p in sorted((BUILD / "tools" / arch).glob("kr*")) if p.is_file()]
    recipe = sorted(p for p in (TOP / "images").rglob("*") if p.is_file()) + sorted((TOP / "tools").glob("*/*.[18]"))
    recipe += [CACHE / arch / "tools/list", CACHE / arch / "cloud/release", CACHE / arch / kernel / "release"]
    recipe += tools + (sorted(p for p in pathlib.Path(extra).rglob("*") if p.is_file()) if extra else [])
    key = hashlib.sha256()
    for path in recipe:
        key.update(b"%s\0%s\0" % (str(path).encode(), path.read_bytes()))
    path = BUILD / "images" / ("%s-dom0-%s.cpio" % (arch, key.hexdigest()[:16]))
    if not path.exists():
        subprocess.run([TOP / "images/dom0", arch, kernel, path, extra or ""] + tools, check=True)
    return path


RUN_PROGRAMS = ("kr", "kr-consoled", "kr-stored", "kr-supervisor")


def debian(arch):
    """The folder with the Debian guest that images/debian made, which need not be there."""
    return BUILD / "debian" / arch


def run_root(arch, folder):
    """What ./run's dom0 has besides, put into folder: images/run-root, RUN_PROGRAMS, which must be built, and of a
    Debian guest that is there its kernel and initrd."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(TOP / "images/run-root", folder)
    (folder / "usr/sbin").mkdir(parents=True, exist_ok=True)
    for program in RUN_PROGRAMS:
        shutil.copy(BUILD / "tools" / arch / program, folder / "usr/sbin" / program)
    for name in ("debian12.cfg", "etc/run"):
        path = folder / name
        path.write_text(path.read_text().replace(DISK["x86_64"], DISK[arch]))
    if debian(arch).exists():
        (folder / "guest/debian").mkdir(parents=True)
        for name in ("vmlinuz", "initrd"):
            shutil.copy(debian(arch) / name, folder / "guest/debian" / name)


def run_image(arch, kernel):
    """The dom0 of ./run."""
    folder = BUILD / "images" / ("run-%s" % arch)
    run_root(arch, folder)
    return dom0_image(arch, kernel, str(folder))


# A Machine's disk: AHCI, virtio-mmio. What dom0 must load for it.
DISK = {"arm64": "/dev/vda", "x86_64": "/dev/sda"}
DISK_MODULES = {"arm64": ["virtio_mmio", "virtio_blk"], "x86_64": ["ahci", "sd_mod"]}

# What the emulator needs for a PVH hypervisor; the rest of the model is as it is.
X86_CPU = "EPYC,+svm,+npt,-monitor,-rdtscp"


class Machine:
    """One machine.

    hypervisor: a path; None boots dom0's kernel on the bare machine. options: the hypervisor's
    command line. dom0: a Kernel or None. domains: boot-time Domains. memory in MiB. cpu: None is
    the usual model of the architecture.
    tree: called with the root fdt.Node to change the finished tree. dtb_bytes: called with the
    flattened tree, returns other bytes (to break it). direct: enter the hypervisor without
    QEMU's own boot loader, which repairs and refuses trees; implied by dtb_bytes. raw: {address:
    bytes or path} put in memory besides. icount: count instructions instead of time
    (deterministic, one thread).
    x86_64: plain: without a tree, dom0's kernel and initrd as the only modules, as users of Xen give them.
    iommu: whether there is one; None is yes if a dom0 needs it. disk: a raw image, or None; Linux calls it DISK[arch].
    network: an e1000e card on QEMU's user network, where the host is 10.0.2.2 and the guest 10.0.2.15.
    """

    def __init__(self, hypervisor=None, options="", dom0=None, domains=(), arch="arm64",
                 cpu=None, cpus=2, memory=2048, machine="", gic=3, tree=None,
                 dtb_bytes=None, direct=False, raw=None, icount=False, qemu_args=(),
                 iommu=None, disk=None, network=False, plain=False):
        self.arch, self.cpus, self.memory = arch, cpus, memory
        self.cpu = cpu or (X86_CPU if arch == "x86_64" else "cortex-a57")
        self.hypervisor = BUILD / ("krypton-" + arch) if hypervisor == "krypton" else hypervisor
        self.options, self.dom0, self.domains = options, dom0, list(domains)
        self.tree, self.dtb_bytes, self.raw = tree, dtb_bytes, dict(raw or {})
        self.direct = direct or bool(dtb_bytes)
        self.icount, self.qemu_args = icount, list(qemu_args)
        self.disk, self.network = disk, network
        self.plain = plain or (arch == "x86_64" and hypervisor == CACHE / "x86_64/xen")
        self.iommu = bool(dom0 and hypervisor) if iommu is None else iommu
        if arch == "x86_64":
            self.machine = "q35,kernel-irqchip=split" + (machine and "," + machine)
            return
        self.machine = "virt,gic-version=%d%s%s" % (
            gic, ",virtualization=on" if self.hypervisor else "", machine and "," + machine)

    # ---- the device tree ------------------------------------------------------------------

    def _base_tree(self, directory):
        if self.arch == "x86_64":   # only what is to be booted: the machine describes itself
            root = fdt.Node("")
            root.add(fdt.Node("chosen"))
            return root
        path = directory / "qemu.dtb"
        path.unlink(missing_ok=True)
        result = subprocess.run(
            [QEMU[self.arch], "-machine", self.machine + ",dumpdtb=%s" % path, "-accel", "tcg",
             "-cpu", self.cpu, "-smp", str(self.cpus), "-m", "%dM" % self.memory,
             "-display", "none", "-nic", "none"] + self.qemu_args,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        if not path.exists():
            raise RuntimeError("QEMU: " + result.stdout.decode())
        return fdt.read(path.read_bytes())

    def _place(self, path):
        """The address for a module; they lie one after the other at the end of low memory."""
        address = self._next
        size = path.stat().st_size
        self._next = (address + size + 2 * MIB - 1) & -(2 * MIB)
        self._loads.append((address, path))
        return address, size

    def _module(self, parent, path, kind, args=None):
        if self.arch == "x86_64":   # the boot loader places them; the tree itself is the first
            self._loads.append((None, path))
            node = parent.add(fdt.Node(kind))
            node.set("module-index", len(self._loads))
        else:
            address, size = self._place(path)
            node = parent.add(fdt.Node("module@%x" % address))
            node.set("reg", fdt.u64(address, size))
        node.set("compatible", fdt.strings("multiboot," + kind, "multiboot,module"))
        if args is not None:
            node.set("bootargs", args)

    def _modules(self, parent, what, args):
        kernel, initrd = what.files(self.arch)
        self._module(parent, kernel, "kernel", args)
        if initrd:
            self._module(parent, initrd, "ramdisk")

    def _module_bytes(self):
        total = 0
        for what in [self.dom0] + self.domains:
            for path in what.files(self.arch) if what else ():
                total += (path.stat().st_size + 2 * MIB - 1) & -(2 * MIB) if path else 0
        return total

    def device_tree(self, directory):
        """The finished tree, flattened, and what must be loaded where."""
        root = self._base_tree(directory)
        chosen = root.find("chosen")
        for seed in ("rng-seed", "kaslr-seed"):     # the same boot each time
            for node in root.walk():
                node.properties.pop(seed, None)
        chosen.set("#address-cells", 2).set("#size-cells", 2).set("bootargs", self.options)
        # Modules from 0xb0000000 with 2 GiB, or lower when they need more room.
        low_end = min(RAM + self.memory * MIB, 0xC0000000)
        room = max(256 * MIB, (self._module_bytes() + 32 * MIB - 1) & -(32 * MIB))
        self._next, self._loads = low_end - min(room, self.memory * MIB // 2), []
        if self.dom0:
            self._modules(chosen, self.dom0, "console=hvc0 kname=dom0 " + self.dom0.args)
        for domain in self.domains:
            node = chosen.add(domain.node())
            self._modules(node, domain, "console=%s kname=%s %s" % (
                "ttyAMA0" if domain.vpl011 else "hvc0", domain.name, domain.args))
        if self.tree:
            self.tree(root)
        blob = fdt.write(root)
        return self.dtb_bytes(blob) if self.dtb_bytes else blob

    # ---- the command line -------------------------------------------------------------------

    def _devices(self):
        """A PC's IOMMU comes first, to see the others."""
        x86 = self.arch == "x86_64"
        arguments = ["-device", "amd-iommu"] if self.iommu and x86 else []
        if self.disk:
            arguments += ["-drive", "file=%s,format=raw,if=none,id=disk" % self.disk]
            # iommu_platform: Linux translates addresses for a virtio device only then, and pages of guests, which dom0 has mapped, need it.
            arguments += ["-device", "ide-hd,drive=disk,bus=ide.0"] if x86 else [
                "-global", "virtio-mmio.force-legacy=off", "-device", "virtio-blk-device,drive=disk,iommu_platform=on"]
        if self.network:
            arguments += ["-netdev", "user,id=net", "-device", "e1000e,netdev=net"]
        return arguments

    def command(self, directory, interactive=False):
        """QEMU's command line; the files it refers to are put in directory."""
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        command = [QEMU[self.arch], "-machine", self.machine, "-cpu", self.cpu,
                   "-smp", str(self.cpus), "-m", "%dM" % self.memory, "-display", "none",
                   "-no-reboot", "-nic", "none"]
        # More than 2 CPUs on few host CPUs: ticket locks convoy unless QEMU takes turns.
        command += self._devices()
        # Not with SVM: after VMRUN with an injected interrupt QEMU 7.2 delivers that once more, whatever RFLAGS.IF
        # says, when it turns to another CPU before the guest exits.
        single = self.icount or (self.cpus > 2 and self.arch == "arm64")
        command += ["-accel", "tcg,thread=single" if single else "tcg"]
        if self.icount:
            command += ["-icount", "shift=0,sleep=off", "-rtc",
                        "base=2026-01-01,clock=vm", "-seed", "1"]
        if interactive:     # Ctrl-a is for the hypervisor, Ctrl-] for kr console, Ctrl-\ for QEMU
            command += ["-serial", "mon:stdio", "-echr", "0x1c"]
        else:
            command += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
                        "-monitor", "none"]
        command += ["-qmp", "unix:%s,server=on,wait=off" % (directory / "qmp")]
        if self.hypervisor:
            dtb = directory / "machine.dtb"
            dtb.write_bytes(self.device_tree(directory))
            if self.arch == "x86_64":
                modules = [str(path).replace(",", ",,") for path in [dtb] + [path for _, path in self._loads]]
                if self.plain:
                    modules = modules[1:]
                    modules[0] += " console=hvc0 kname=dom0 " + self.dom0.args.replace(",", ",,")
                command += ["-kernel", str(self.hypervisor), "-append", self.options,
                            "-initrd", ",".join(modules)]
                self._loads = []
            elif self.direct:
                stub = directory / "stub"
                stub.write_bytes(STUB)
                command += ["-device", "loader,file=%s,addr=%#x,cpu-num=0,force-raw=on" 
                            % (stub, RAM + MIB)]    # QEMU's own tree lies below
                self.raw.update({RAM + 2 * MIB: self.hypervisor, RAM + 160 * MIB: dtb})
            else:
                command += ["-kernel", str(self.hypervisor), "-append", self.options, "-dtb", str(dtb)]
            for address, path in self._loads:
                command += ["-device", "loader,file=%s,addr=%#x,force-raw=on" % (path, address)]
        else:
            kernel, initrd = self.dom0.files(self.arch)
            command += ["-kernel", str(kernel), "-append",
                        "console=%s kname=bare " % ("ttyS0" if self.arch == "x86_64" else "ttyAMA0") + self.dom0.args]
            command += ["-initrd", str(initrd)] if initrd else []
        for number, (address, data) in enumerate(self.raw.items()):
            if isinstance(data, bytes):
                path = directory / ("raw%d" % number)
                path.write_bytes(data)
                data = path
            command += ["-device", "loader,file=%s,addr=%#x,force-raw=on" % (data, address)]
        return command + self.qemu_args

    def boot(self, name, directory=None):
        """Start it under pexpect; name names its folder and log under $O/logs."""
        return Run(self, name, pathlib.Path(directory or BUILD / "logs" / name))


class Terminal(pexpect.spawn):
    """
    A machine's console. The domain with the keyboard is shown character by character, so whoever else prints a line may break one of
    its lines in two. Each line that was broken is repeated here in one piece behind its end, so that what is looked for is found; the log
    has what was printed.
    """

    OWN_END, CUT_END = b"\r\r\r", b"\r\r"    # a domain's own end of line, that of a cut, less the newline: the terminals add to both
    LONGEST = 1000

    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        self.delaybeforesend = None     # pexpect's is a twentieth of a second for each send()
        self.owner = None       # b"d0": who has the keyboard
        self._line = b""        # what came since the last newline
        self._cut = None        # the beginning of the owner's line, which somebody broke
        self.repeated = []      # the texts of the lines that were

    def read_nonblocking(self, size=1, timeout=-1):
        data = super().read_nonblocking(size, timeout)
        out = b""
        while True:
            line, newline, rest = data.partition(b"\n")
            out += line + newline
            self._line += line
            if not newline:
                return out
            out += self._whole(self._line)
            self._line, data = b"", rest

    def _whole(self, line):
        """What to repeat after this line: nothing, as a rule."""
        moved = re.match(rb"\*\*\* Input to (\w+)", line)
        if moved:
            self.owner, self._cut = moved.group(1), None
        mark = b"(%s) " % (self.owner or b"")
        if not self.owner or not line.startswith(mark):
            return b""
        text = line[len(mark):]
        if text != self.CUT_END and not text.endswith(self.OWN_END):    # an empty line has nothing that can be cut, and one less
            self._cut = (self._cut or b"") + text[:-len(self.CUT_END)]
            self._cut = self._cut if len(self._cut) < self.LONGEST else None
            return b""
        begun, self._cut = self._cut, None
        if begun is None:
            return b""
        self.repeated.append((begun + text).decode(errors="replace").replace("\r", ""))
        return mark + begun + text + b"\n"


def mended(lines, repeated):
    """Without the pieces of the lines that Terminal repeats."""
    lines = list(lines)
    for whole in repeated:
        pieces = next(((first, i) for i, line in enumerate(lines) if line == whole
                       for first in range(i - 2, -1, -1) if "".join(lines[first:i]) == whole), (0, 0))
        del lines[slice(*pieces)]
    return lines


def one_cpu():
    """
    In a new process: all its threads on one CPU, each test process's on another. At each exit of a guest QEMU 7.2 clears a bit
    of the CPU's pending interrupts without its lock, and what another thread sets at that moment is lost; threads that take turns do not meet there.
    """
    cpus = sorted(os.sched_getaffinity(0))
    worker = re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or os.getppid()
    os.sched_setaffinity(0, {cpus[int(worker) % len(cpus)]})


def connect(connection, path):
    """Connect to a socket that QEMU makes when it starts."""
    end = time.monotonic() + PATIENCE * SLOW
    while True:
        try:
            return connection.connect(str(path))
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


class Run:
    """A machine that runs. Use as a context: leaving it ends QEMU.

    expect() and the rest raise AssertionError with the end of the log when what they wait for
    does not come. Everything that was printed is in the file `log`.
    """

    def __init__(self, machine, name, directory):
        self.machine, self.name = machine, name
        command = machine.command(directory)
        self.log = directory / "console.log"
        (directory / "command").write_text(" ".join(shlex.quote(c) for c in command) + "\n")
        self._file = open(self.log, "wb")
        self.start = time.monotonic()
        self.child = Terminal(command[0], command[1:], logfile=self._file, echo=False,
                              timeout=60, maxread=65536,
                              preexec_fn=one_cpu if machine.arch == "x86_64" and machine.hypervisor else None)
        # searchwindowsize stays unset: patterns may span what arrives together
        self.child.logfile_send = None
        self._qmp_path, self._qmp = directory / "qmp", None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.close(force=True)
        self._file.close()

    def qmp(self, command, **arguments):
        """One command to QEMU itself (its QMP interface); returns the answer."""
        if not self._qmp:
            connection = socket.socket(socket.AF_UNIX)
            connect(connection, self._qmp_path)
            self._qmp = connection.makefile("rw")
            self._qmp.readline()
            self.qmp("qmp_capabilities")
        self._qmp.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._qmp.flush()
        while True:
            answer = json.loads(self._qmp.readline())
            if "error" in answer:
                raise AssertionError("%s: QMP %s: %s" % (self.name, command, answer["error"]))
            if "return" in answer:
                return answer["return"]

    def monitor(self, line):
        """One line to QEMU's human monitor; returns what it prints."""
        return self.qmp("human-monitor-command", **{"command-line": line})

    def instructions(self):
        """Instructions executed since power-on (icount only); the machine is stopped for it."""
        self.qmp("stop")
        return self.qmp("query-replay")["icount"]

    def seconds(self):
        return time.monotonic() - self.start

    def text(self):
        self._file.flush()
        return self.log.read_bytes().decode(errors="replace").replace("\r", "")

    def _fail(self, why):
        tail = "\n".join(self.text().splitlines()[-40:])
        raise AssertionError("%s: %s; the log (%s) ends:\n%s"
                             % (self.name, why, self.log, tail)) from None

    def expect(self, pattern, timeout=60):
        """Wait for a regular expression (or the first of a list); returns the match."""
        wanted = pattern if isinstance(pattern, list) else [pattern]
        timeout = max(timeout, PATIENCE)
        try:
            self.child.expect(wanted, timeout=timeout * SLOW)
        except pexpect.TIMEOUT:
            self._fail("no %r within %g s" % (pattern, timeout * SLOW))
        except pexpect.EOF:
            self._fail("ended before %r" % (pattern,))
        return self.child.match

    def expect_guest(self, name, timeout=90):
        """Wait until a guest's user space is up; returns what it says of itself as a dict."""
        match = self.expect(r"KRYPTON-GUEST up (name=%s [^\r\n]*uptime=[\d.]+)\r*\n" % name, timeout)
        return dict(f.split("=", 1) for f in match.group(1).decode().split(" "))

    def expect_guests(self, *names, timeout=90):
        """The same for several, in whatever order they come: {name: what it says}."""
        ups = {}
        while len(ups) < len(names):
            up = self.expect_guest("(?:%s)" % "|".join(n for n in names if n not in ups), timeout)
            ups[up["name"]] = up
        return ups

    def expect_text(self, pattern, timeout=PATIENCE):
        """The same for what may have been printed before: looks through the whole log."""
        if not re.search(pattern, self.text()):
            self.expect(pattern, timeout)

    def expect_end(self, timeout=60):
        """Wait until QEMU ends by itself; returns its exit status."""
        timeout = max(timeout, PATIENCE)
        try:
            self.child.expect(pexpect.EOF, timeout=timeout * SLOW)
        except pexpect.TIMEOUT:
            self._fail("still running after %g s" % (timeout * SLOW))
        self.child.close()
        return self.child.exitstatus

    def send(self, text):
        self.child.send(text)

    def line(self, text):
        """Type a line, slowly enough for a console without flow control."""
        for c in text + "\n":
            self.child.send(c)
            time.sleep(0.005)

    def shell(self, command, timeout=PATIENCE):
        """Run a command in the guest whose shell has the input; returns its status and what it printed."""
        mark = "done%d" % (time.monotonic_ns() % 1000000)
        before = len(self.child.repeated)
        echo = "echo %s''%s=$s" % (mark[:4], mark[4:])      # whose own echo must not look like the answer
        self.line("(%s); s=$?; %s" % (command, echo))   # in a subshell, so that it may `exit`
        answer = r"(?s)(.*?)%s=(\d+)\D" % mark
        try:
            match = self.expect(answer, timeout)
        except AssertionError:      # a message of the guest's own kernel may have come in between
            self.line(echo)
            match = self.expect(answer)
        output = match.group(1).decode(errors="replace").replace("\r", "")
        # What comes before the output is the echo of the command.
        lines = output.rsplit("=$s", 1)[-1].lstrip("\n").split("\n")
        # A line begins with who printed it: the rest is not the answer.
        ours = "(%s) " % self.child.owner.decode() if self.child.owner else ""
        lines = [line[len(ours) * line.startswith(ours):] for line in lines
                 if (line.startswith(ours) or not re.match(r"\(\w+\) ", line))
                 and not re.match(re.escape(ours) + r"\[ *\d+\.\d{6}\] ", line)]
        return int(match.group(2)), "\n".join(mended(lines, self.child.repeated[before:]))
