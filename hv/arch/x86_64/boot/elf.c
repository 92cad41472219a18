/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF kernels (System V ABI, object files; xen/elfnote.h): 64-bit files with an entry note for PVH. The file is hostile: every
 * field is compared with the file's size and with the address space before it is used, once, in elf_parse().
 */
#include "boot.h"
#include <hv/log.h>
#include <hv/string.h>
#include <xen/elfnote.h>

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 64, "Elf64_Ehdr");

struct program_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct program_header) == 56, "Elf64_Phdr");

struct note_header {
	uint32_t name_size, desc_size, type;
};

#define PT_LOAD        1u
#define PT_NOTE        4u
#define MACHINE_X86_64 62u
#define TYPE_EXEC      2u
#define TYPE_DYN       3u
#define MAX_HEADERS    32u

static bool bad(const char *who, const char *why)
{
	log_error("%s: %s", who, why);
	return false;
}

/* [at, at + n) lies in a file of `size` bytes. */
static bool inside(uint64_t size, uint64_t at, uint64_t n)
{
	return at <= size && n <= size - at;
}

static bool check_header(const char *who, const struct elf_header *h, uint64_t size)
{
	static const uint8_t ident[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

	if (memcmp(h->ident, ident, 4) != 0)
		return bad(who, "not an ELF file");
	if (memcmp(h->ident, ident, sizeof(ident)) != 0)
		return bad(who, "not a 64-bit little-endian ELF file");
	if (h->machine != MACHINE_X86_64 || (h->type != TYPE_EXEC && h->type != TYPE_DYN))
		return bad(who, "an ELF file, but not an x86-64 program");
	if (h->phentsize != sizeof(struct program_header) || h->phnum == 0 || h->phnum > MAX_HEADERS)
		return bad(who, "its program headers have a strange size or number");
	if (!inside(size, h->phoff, (uint64_t)h->phnum * h->phentsize))
		return bad(who, "a truncated kernel: it ends before its program headers");
	return true;
}

/* Insert by address; segments may touch but not overlap. */
static bool add_segment(const char *who, struct kernel_image *k, const struct program_header *p)
{
	uint32_t i = k->nr;

	if (p->memsz == 0)
		return true;
	if (p->filesz > p->memsz)
		return bad(who, "a segment is larger in the file than in memory");
	if (!inside(k->size, p->offset, p->filesz))
		return bad(who, "a truncated kernel: it ends before the end of a segment");
	if (p->paddr < HIGH_RAM_BASE || !inside(HOLE_BASE, p->paddr, p->memsz))
		return bad(who, "a segment lies outside of 1 MiB to 3 GiB");
	if (k->nr == MAX_SEGMENTS)
		return bad(who, "too many segments");
	for (; i > 0 && k->segment[i - 1].to > p->paddr; i--)
		k->segment[i] = k->segment[i - 1];
	k->segment[i] = (struct segment_place){ p->paddr, p->memsz, p->filesz, p->offset };
	k->nr++;
	if (i > 0 && k->segment[i - 1].to + k->segment[i - 1].size > p->paddr)
		return bad(who, "segments overlap");
	if (i + 1 < k->nr && p->paddr + p->memsz > k->segment[i + 1].to)
		return bad(who, "segments overlap");
	return true;
}

/* Look through one note segment for the entry. */
static void find_entry(struct kernel_image *k, const struct program_header *p)
{
	uint64_t at = p->offset, end;

	if (!inside(k->size, p->offset, p->filesz))
		return;
	end = p->offset + p->filesz;
	while (end - at >= sizeof(struct note_header)) {
		struct note_header n;
		uint64_t desc;

		memcpy(&n, k->file + at, sizeof(n));
		at += sizeof(n);
		desc = at + ROUND_UP((uint64_t)n.name_size, 4);
		if (desc > end || n.desc_size > end - desc)
			return;
		if (n.type == XEN_ELFNOTE_PHYS32_ENTRY && n.name_size == 4 &&
		    memcmp(k->file + at, "Xen", 4) == 0 && n.desc_size >= 4)
			memcpy(&k->entry, k->file + desc, 4);
		at = MIN(desc + ROUND_UP((uint64_t)n.desc_size, 4), end);
	}
}

static bool entry_loaded(const struct kernel_image *k)
{
	for (uint32_t i = 0; i < k->nr; i++)
		if (k->entry >= k->segment[i].to &&
		    k->entry - k->segment[i].to < k->segment[i].file_size)
			return true;
	return false;
}

bool elf_parse(const char *who, const uint8_t *file, uint64_t size, struct kernel_image *k)
{
	struct elf_header h;

	*k = (struct kernel_image){ .file = file, .size = size };
	if (size < sizeof(h))
		return bad(who, "a truncated kernel: shorter than its header");
	memcpy(&h, file, sizeof(h));
	if (!check_header(who, &h, size))
		return false;
	for (uint32_t i = 0; i < h.phnum; i++) {
		struct program_header p;

		memcpy(&p, file + h.phoff + i * sizeof(p), sizeof(p));
		if (p.type == PT_LOAD && !add_segment(who, k, &p))
			return false;
		if (p.type == PT_NOTE)
			find_entry(k, &p);
	}
	if (k->nr == 0)
		return bad(who, "nothing in it is to be loaded");
	if (!k->entry)
		return bad(
		    who, "no PVH entry note (XEN_ELFNOTE_PHYS32_ENTRY): not built with CONFIG_PVH");
	if (!entry_loaded(k))
		return bad(who, "its PVH entry lies outside of what is loaded");
	return true;
}
