# SPDX-License-Identifier: Apache-2.0
"""The finished image, read with the tools of the toolchain."""
import re
import subprocess

from machine import BUILD, CACHE

ELF = BUILD / "arm64/krypton.elf"


def tool(name, *args):
    return subprocess.run(["aarch64-linux-gnu-" + name, *args, str(ELF)], check=True,
                          stdout=subprocess.PIPE).stdout.decode()


def functions():
    """{name: lines of disassembly} of the image."""
    found, lines = {}, []
    for line in tool("objdump", "-d", "--no-show-raw-insn").splitlines():
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
