# SPDX-License-Identifier: Apache-2.0
"""The finished image, read with the tools of the toolchain."""
import re
import subprocess

import pytest

from machine import BUILD, CACHE

ELF = BUILD / "arm64/krypton.elf"
PREFIX = {"arm64": "aarch64-linux-gnu-", "x86_64": "x86_64-linux-gnu-"}


def tool(name, *args, arch="arm64", elf=ELF):
    return subprocess.run([PREFIX[arch] + name, *args, str(elf)], check=True,
                          stdout=subprocess.PIPE).stdout.decode()


def functions(arch="arm64", elf=ELF):
    """{name: lines of disassembly} of the image."""
    found, lines = {}, []
    for line in tool("objdump", "-d", "--no-show-raw-insn", arch=arch, elf=elf).splitlines():
        head = re.match(r"[0-9a-f]+ <(.*)>:$", line)
        if head:
            lines = found.setdefault(head.group(1), [])
        elif line.strip():
            lines.append(line.split("\t", 1)[-1])
    return found


def test_no_segment_is_writable_and_executable():
    flags = ["".join(line.split()[6:-1]) for line in tool("readelf", "-lW").splitlines()
             if line.startswith("  LOAD")]
    assert "RE" in flags and not any("W" in f and "E" in f for f in flags), flags


def test_only_known_sections_are_loaded():
    """A section that the linker script does not place lands where protection is by luck."""
    loaded = {f[1] for f in re.findall(r"\[ *(\d+)\] (\S+) +\S+ +[0-9a-f]+ [0-9a-f]+ [0-9a-f]+ "
                                       r"[0-9a-f]+ +[A-Z]*A", tool("readelf", "-SW"))}
    assert {".text", ".rodata", ".data", ".bss"} <= loaded
    strange = {s for s in loaded if not re.match(r"\.(text|rodata|data|bss|tables|boot\.\w+)$", s)}
    assert not strange


def test_guests_vector_registers_are_touched_in_one_place():
    """They are the guest's and are switched whole: no compiled code may use them, but zlib's, which unpacks
    kernels before there is a guest (hv/include/hv/payload.h)."""
    library = subprocess.run(["aarch64-linux-gnu-nm", CACHE / "arm64/libz.a"], check=True, stdout=subprocess.PIPE,
                             universal_newlines=True).stdout
    before_guests = set(re.findall(r"^[0-9a-f]+ [Tt] (\w+)$", library, re.M))
    use = re.compile(r"(?<![\w.])[qvds]\d+(?![\w])")
    touching = {name for name, lines in functions().items()
                if any(use.search(line.split("//")[0]) for line in lines)}
    assert touching - before_guests == {"fpsimd_save", "fpsimd_load"}


def test_nothing_runs_speculatively_behind_eret():
    """After ERET stands a barrier (or an endless loop), so that the CPU does not run on behind it."""
    for name, lines in functions().items():
        code = [line.split()[0] for line in lines]
        for i, word in enumerate(code):
            if word == "eret":
                assert code[i + 1:i + 2] and code[i + 1] in ("dsb", "sb"), name


def test_cleared_memory_is_cleared_in_memory():
    """Each clearing instruction or loop is followed by a clean, and all are waited for: no cache shows it here."""
    code = [line.split("//")[0].split() for line in functions()["page_clear"]]
    for i, words in enumerate(code):
        if words[:2] == ["dc", "zva,"]:
            assert code[i + 1] == ["dc", "cvac,", words[2]]
        if words[0] == "ret":
            assert code[i - 1] == ["dsb", "sy"]
    assert sum(words[:2] == ["dc", "cvac,"] for words in code) == 5


def test_vector_tables_have_each_entry_in_its_place():
    """An entry that is too long would move those behind it."""
    sizes = {f[3]: (int(f[0], 16), int(f[1], 16)) for f in
             (line.split() for line in tool("nm", "-S").splitlines())
             if len(f) == 4 and re.fullmatch(r"vectors(_\w+)?", f[3])}
    assert sorted(sizes) == ["vectors", "vectors_clear", "vectors_firmware", "vectors_loop"]
    assert all(address % 0x800 == 0 and size == 0x800 for address, size in sizes.values()), sizes


def test_every_function_of_the_symbol_file_is_in_the_image():
    symbols = (BUILD / "krypton-arm64.sym").read_text().splitlines()
    assert len(symbols) > 500 and symbols == sorted(symbols, key=lambda s: s.split()[0])
    assert any(s.split()[1:] == ["T", "_start"] for s in symbols)


# ---- under speculation ----------------------------------------------------------------------------------

IMAGES = [(arch, elf) for arch in PREFIX for elf in (BUILD / arch / "krypton.elf", BUILD / "clang" / arch / "krypton.elf")
          if elf.exists()]
each_image = pytest.mark.parametrize("arch,elf", IMAGES, ids=["%s-%s" % (a, "clang" if "clang" in e.parts else "gcc") for a, e in IMAGES])

# A table of addresses, read at an index: the register with the index.
TABLE = {"x86_64": r"-?0x\w+\(,%(\w+),8\)", "arm64": r"\[x\d+, [xw](\d+), (?:lsl|uxtw) #3\]"}
LEAVES = {"x86_64": r"j|call|ret", "arm64": r"(b|bl|blr|br|ret|b\.\w+|cbn?z|tbn?z)\b"}
ALWAYS_LEAVES = {"x86_64": r"jmp|call|ret", "arm64": r"(b|bl|blr|br|ret)(\s|$)"}
# Where what a guest says chooses a function.
OWN_TABLES = ["port_serve", "debug_key"]    # indexed by what the hypervisor keeps, or the operator types
DISPATCH = ["hypercall", "dispatch_noted", "abi_sysctl", "abi_domctl"]


def plain(line):
    """An instruction without comments; x86-64's registers in their 64-bit names, both architectures' without decoration."""
    line = re.sub(r"\s+", " ", re.split(r"//|<|#\s", line)[0]).strip()
    line = re.sub(r"%e([a-ds][xip])\b", r"%r\1", line)
    return re.sub(r"%(r\d+)d\b", r"%\1", line)


def written(arch, line):
    """(operation, target, sources) of an instruction on registers."""
    words = line.split(" ", 1)
    operands = re.split(r",\s*(?![^(]*\))", words[1]) if len(words) > 1 else [""]
    if arch == "x86_64":
        return words[0].rstrip("lq") if words[0] != "lea" else "lea", operands[-1], operands[:-1]
    return words[0], operands[0], operands[1:]


def spread(arch, code, at, register):
    """Does the value that `register` has before code[at] come from a sign that was spread over all bits, with no jump in between?"""
    number = lambda name: re.sub(r"^[xw%]", "", name)
    for i in range(at - 1, -1, -1):
        if re.match(LEAVES[arch], code[i]):
            return False
        op, target, sources = written(arch, code[i])
        if number(target) != number(register) or op in ("cmp", "test", "tst"):
            continue
        if arch == "x86_64" and op == "sar" and sources == ["$0x3f"] or arch == "arm64" and "asr #63" in code[i] \
           or arch == "arm64" and op == "asr" and sources[-1] == "#63":
            return True
        if op in ("not", "mvn", "mov"):
            return spread(arch, code, i, sources[0] if sources else target)
        if op in ("and", "bic"):
            return any(spread(arch, code, i, s) for s in sources + [target] if re.match(r"[%xw]", s))
        return False
    return False


def masked(arch, code, at, register):
    """Was the index cut with such a mask? What branches away afterwards does no harm."""
    for i in range(at - 1, -1, -1):
        if re.match(ALWAYS_LEAVES[arch], code[i]):
            return False
        op, target, sources = written(arch, code[i])
        if re.sub(r"^[xw%]", "", target) == register and op not in ("cmp", "test", "tst"):
            if op == "mov" and sources and re.match(r"[%xw]", sources[0]):
                return masked(arch, code, i, re.sub(r"^[xw%]", "", sources[0]))
            return op == "and" and ("asr #63" in code[i] or any(spread(arch, code, i, s) for s in sources + [target] * (arch == "x86_64")))
    return False


def test_a_missing_mask_would_be_seen():
    """The rule on code with the mask, without it, and with a branch that the CPU could guess in its place."""
    good = ["cmp $0x3f,%rdi", "ja 5", "mov %rdi,%rcx", "lea -0x40(%rcx),%rax", "sar $0x3f,%rax", "and %rax,%rcx", "mov -0x10(,%rcx,8),%rax"]
    assert masked("x86_64", good, 6, "rcx")
    assert not masked("x86_64", good[:4] + good[6:], 4, "rcx")
    assert not masked("x86_64", good[:5] + ["je 7"] + good[5:], 7, "rcx")
    good = ["b.hi 7", "sub x4, x3, #0x40", "and x4, x6, x4, asr #63", "and x3, x3, x4", "ldr x2, [x2, x3, lsl #3]"]
    assert masked("arm64", good, 4, "3")
    assert not masked("arm64", good[:3] + good[4:], 3, "3")


@each_image
def test_indexes_of_guests_are_masked_where_they_choose_a_function(arch, elf):
    """index_nospec() has survived the compiler: what the table is read at was cut with a mask, which no branch has a part in."""
    found = {name: [plain(line) for line in lines] for name, lines in functions(arch, elf).items() if name in DISPATCH}
    assert {"hypercall", "dispatch_noted"} <= set(found)
    seen = 0
    for name, code in found.items():
        for at, line in enumerate(code):
            table = re.search(TABLE[arch], line)
            if table and not line.startswith("lea"):
                seen += 1
                assert masked(arch, code, at, table.group(1)), (name, code[max(0, at - 12):at + 1])
    assert seen >= 3, seen


@pytest.mark.parametrize("elf", [elf for arch, elf in IMAGES if arch == "x86_64"], ids=lambda e: "clang" if "clang" in str(e) else "gcc")
def test_no_switch_became_a_table_of_jumps(elf):
    """Its index would be checked by a branch only. The libraries that unpack kernels are Debian's: they run before there are guests."""
    libraries = {name for path in (CACHE / "x86_64").rglob("lib*.a") for name in re.findall(
        r"^[0-9a-f]* [tT] (\w+)", subprocess.run([PREFIX["x86_64"] + "nm", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                                 universal_newlines=True).stdout, re.M)}
    for name, lines in functions("x86_64", elf).items():
        if name.split(".")[0] not in libraries and name not in DISPATCH + OWN_TABLES:
            for line in lines:
                assert not re.match(r"(notrack )?jmp \*" + TABLE["x86_64"], plain(line)), name
