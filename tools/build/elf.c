/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF kernels with a PVH entry (System V ABI, object files; xen/elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY; the boot protocol
 * is Xen's docs/misc/pvh). Both widths: the entry is 32-bit code in either case.
 */
#include "parts.h"
#include <elf.h>
#include <xen/elfnote.h>

#define MAX_HEADERS 64u

/* What is used of a program header. */
struct header {
	uint32_t type;
	uint64_t offset, paddr, filesz, memsz;
};

bool elf_is(const struct blob *b)
{
	return b->size >= SELFMAG && memcmp(b->data, ELFMAG, SELFMAG) == 0;
}

static bool wide(const struct blob *b)
{
	return b->data[EI_CLASS] == ELFCLASS64;
}

static struct header header_at(const struct blob *b, uint64_t at)
{
	const uint8_t *p = b->data + at;

	if (wide(b))
		return (struct header){ (uint32_t)little(p + offsetof(Elf64_Phdr, p_type), 4),
					little(p + offsetof(Elf64_Phdr, p_offset), 8),
					little(p + offsetof(Elf64_Phdr, p_paddr), 8),
					little(p + offsetof(Elf64_Phdr, p_filesz), 8),
					little(p + offsetof(Elf64_Phdr, p_memsz), 8) };
	return (struct header){ (uint32_t)little(p + offsetof(Elf32_Phdr, p_type), 4),
				little(p + offsetof(Elf32_Phdr, p_offset), 4),
				little(p + offsetof(Elf32_Phdr, p_paddr), 4),
				little(p + offsetof(Elf32_Phdr, p_filesz), 4),
				little(p + offsetof(Elf32_Phdr, p_memsz), 4) };
}

static const char *machine_name(uint64_t machine)
{
	switch (machine) {
	case EM_AARCH64: return "64-bit Arm";
	case EM_ARM: return "32-bit Arm";
	case EM_RISCV: return "RISC-V";
	case EM_PPC64: return "POWER";
	default: return "another CPU";
	}
}

/* Where the program headers are: *at, *n, *each. */
static bool check_file(const struct blob *b, uint64_t size, uint64_t *at, uint32_t *n,
		       uint32_t *each, struct fault *f)
{
	uint64_t machine, type;

	if (b->size < sizeof(Elf64_Ehdr))
		return fault_set(f, F_KERNEL_TRUNCATED,
				 "%s: a truncated ELF file: %zu bytes, its header alone has %zu",
				 b->name, b->size, sizeof(Elf64_Ehdr));
	if ((b->data[EI_CLASS] != ELFCLASS64 && b->data[EI_CLASS] != ELFCLASS32) ||
	    b->data[EI_DATA] != ELFDATA2LSB || b->data[EI_VERSION] != EV_CURRENT)
		return fault_set(f, F_KERNEL_ARCH,
				 "%s: ELF: identification at 4 is %02x %02x %02x: not "
				 "little-endian ELF version 1",
				 b->name, b->data[EI_CLASS], b->data[EI_DATA], b->data[EI_VERSION]);
	type = little(b->data + offsetof(Elf64_Ehdr, e_type), 2);
	machine = little(b->data + offsetof(Elf64_Ehdr, e_machine), 2);
	if (machine != (wide(b) ? EM_X86_64 : EM_386))
		return fault_set(f, F_KERNEL_ARCH,
				 "%s: ELF: made for %s (machine %llu), not for x86", b->name,
				 machine_name(machine), (unsigned long long)machine);
	if (type != ET_EXEC && type != ET_DYN)
		return fault_set(f, F_KERNEL_FORMAT, "%s: ELF: type %llu is not a program", b->name,
				 (unsigned long long)type);
	*at = wide(b) ? little(b->data + offsetof(Elf64_Ehdr, e_phoff), 8)
		      : little(b->data + offsetof(Elf32_Ehdr, e_phoff), 4);
	*n = (uint32_t)little(
	    b->data + (wide(b) ? offsetof(Elf64_Ehdr, e_phnum) : offsetof(Elf32_Ehdr, e_phnum)), 2);
	*each = (uint32_t)little(b->data + (wide(b) ? offsetof(Elf64_Ehdr, e_phentsize)
						    : offsetof(Elf32_Ehdr, e_phentsize)),
				 2);
	if (*each != (wide(b) ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) || *n == 0 ||
	    *n > MAX_HEADERS)
		return fault_set(
		    f, F_KERNEL_HEADER,
		    "%s: ELF: %u program headers of %u bytes: 1 to %u of %zu are possible", b->name,
		    *n, *each, MAX_HEADERS, wide(b) ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
	if (!range_inside(size, *at, (uint64_t)*n * *each))
		return fault_set(
		    f, F_KERNEL_TRUNCATED,
		    "%s: a truncated ELF file: program headers at %llu, the file has %llu bytes",
		    b->name, (unsigned long long)*at, (unsigned long long)size);
	if (!range_inside(b->size, *at, (uint64_t)*n * *each))
		return fault_set(f, F_KERNEL_HEADER,
				 "%s: ELF: program headers at %llu: in a packed kernel they are "
				 "looked for in the first %zu bytes",
				 b->name, (unsigned long long)*at, b->size);
	return true;
}

static bool bad_segment(const struct blob *b, uint32_t index, const struct header *h,
			enum fault_id id, const char *why, struct fault *f)
{
	return fault_set(f, id, "%s: ELF: segment %u (file %llu+%llu, memory 0x%llx+%llu): %s",
			 b->name, index, (unsigned long long)h->offset,
			 (unsigned long long)h->filesz, (unsigned long long)h->paddr,
			 (unsigned long long)h->memsz, why);
}

static bool add_segment(const struct blob *b, uint64_t size, uint32_t index, const struct header *h,
			uint64_t floor, uint64_t ceiling, struct elf_kernel *k, struct fault *f)
{
	struct elf_segment *s = k->segment;
	uint32_t i = k->nr;

	if (h->memsz == 0)
		return true;
	if (h->filesz > h->memsz)
		return bad_segment(b, index, h, F_KERNEL_HEADER,
				   "larger in the file than in memory", f);
	if (!range_inside(size, h->offset, h->filesz))
		return bad_segment(b, index, h, F_KERNEL_TRUNCATED,
				   "the file ends before it, it is truncated", f);
	if (h->paddr < floor || !range_inside(ceiling, h->paddr, h->memsz))
		return bad_segment(b, index, h, F_KERNEL_HEADER,
				   "it lies outside of 1 MiB to 3 GiB, where kernels go", f);
	if (k->nr == BUILD_MAX_SEGMENTS)
		return bad_segment(b, index, h, F_KERNEL_HEADER, "more than 16 to load", f);
	for (; i > 0 && s[i - 1].to > h->paddr; i--)
		s[i] = s[i - 1];
	s[i] = (struct elf_segment){ h->paddr, h->memsz, h->offset, h->filesz };
	k->nr++;
	if ((i > 0 && s[i - 1].to + s[i - 1].size > h->paddr) ||
	    (i + 1 < k->nr && h->paddr + h->memsz > s[i + 1].to))
		return bad_segment(b, index, h, F_KERNEL_HEADER, "it overlaps another one", f);
	return true;
}

/* What does not lie in the file holds no note. */
static bool add_notes(const struct blob *b, uint64_t size, uint32_t index, const struct header *h,
		      struct elf_kernel *k, struct fault *f)
{
	uint64_t all = 0;

	if (!range_inside(size, h->offset, h->filesz))
		return true;
	for (uint32_t i = 0; i < k->nr_notes; i++)
		all += k->note[i].size;
	if (k->nr_notes == BUILD_MAX_NOTES || h->filesz > sizeof(k->notes) - all)
		return bad_segment(b, index, h, F_KERNEL_HEADER,
				   "more than 16 segments or 16 KiB of notes", f);
	k->note[k->nr_notes++] = (struct build_range){ h->offset, h->filesz };
	return true;
}

bool elf_parse(const struct blob *b, uint64_t size, uint64_t floor, uint64_t ceiling,
	       struct elf_kernel *k, struct fault *f)
{
	uint32_t n, each;
	uint64_t at;

	*k = (struct elf_kernel){ 0 };
	if (!check_file(b, size, &at, &n, &each, f))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct header h = header_at(b, at + (uint64_t)i * each);

		if (h.type == PT_LOAD && !add_segment(b, size, i, &h, floor, ceiling, k, f))
			return false;
		if (h.type == PT_NOTE && !add_notes(b, size, i, &h, k, f))
			return false;
	}
	return k->nr > 0 ||
	       fault_set(f, F_KERNEL_FORMAT, "%s: ELF: no segment of it is to be loaded", b->name);
}

/* ---- the entry ------------------------------------------------------------------------------------- */

void elf_take_notes(struct elf_kernel *k, uint64_t at, const uint8_t *data, size_t n)
{
	uint8_t *to = k->notes;

	for (uint32_t i = 0; i < k->nr_notes; i++) {
		const struct build_range *note = &k->note[i];
		uint64_t from = note->start > at ? note->start : at;
		uint64_t end = note->start + note->size < at + n ? note->start + note->size
								 : at + n;

		if (from < end)
			memcpy(to + (from - note->start), data + (from - at), end - from);
		to += note->size;
	}
}

/* Look through one segment of notes for the PVH entry; what is no sound note ends the search. */
static void find_entry(const uint8_t *p, uint64_t size, bool *found, struct elf_kernel *k)
{
	uint64_t at = 0;

	while (size - at >= sizeof(Elf64_Nhdr)) {
		uint64_t name = little(p + at, 4), desc = little(p + at + 4, 4);
		uint64_t type = little(p + at + 8, 4), text = at + sizeof(Elf64_Nhdr);
		uint64_t value = text + ROUND_UP_TO(name, 4);

		if (value > size || desc > size - value)
			return;
		if (type == XEN_ELFNOTE_PHYS32_ENTRY && name == 4 && desc >= 4 &&
		    memcmp(p + text, "Xen", 4) == 0) {
			k->entry = (uint32_t)little(p + value, 4);
			*found = true;
		}
		at = value + ROUND_UP_TO(desc, 4);
		if (at > size)
			return;
	}
}

/* The first instruction comes from the file. */
static bool entry_loaded(const struct elf_kernel *k)
{
	for (uint32_t i = 0; i < k->nr; i++)
		if (k->entry >= k->segment[i].to &&
		    k->entry - k->segment[i].to < k->segment[i].file_size)
			return true;
	return false;
}

bool elf_entry(struct elf_kernel *k, const char *name, struct fault *f)
{
	const uint8_t *p = k->notes;
	bool found = false;

	for (uint32_t i = 0; i < k->nr_notes; i++) {
		find_entry(p, k->note[i].size, &found, k);
		p += k->note[i].size;
	}
	if (!found)
		return fault_set(f, F_KERNEL_NO_PVH,
				 "%s: ELF: no note XEN_ELFNOTE_PHYS32_ENTRY: the kernel cannot "
				 "start as a PVH guest",
				 name);
	if (!entry_loaded(k))
		return fault_set(f, F_KERNEL_HEADER,
				 "%s: ELF: its PVH entry 0x%x lies outside of what the file loads",
				 name, k->entry);
	return true;
}
