/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What boot loaders hand over, in its three forms: multiboot (0.6.96, 3.3), multiboot2 (2.0, 3) and the PVH start info
 * (xen/arch-x86/hvm/start_info.h). Everything is copied into boot_info and a buffer of
 * strings, so that the memory it lay in is free. Nothing is believed: lengths are checked, all addresses lie below the 4 GiB that
 * are mapped now, and memory and modules must fit together. Runs once, first.
 */
#include <asm/boot.h>

#include <asm/layout.h>
#include <asm/machine.h>
#include <hv/boot.h>
#include <hv/log.h>
#include <hv/ram.h>
#include <hv/string.h>
#include <xen/arch-x86/hvm/start_info.h>

#define MB1_LOADED 0x2badb002u
#define MB2_LOADED 0x36d76289u
#define E820_RAM   1u

#define MAPPED     (4ull << 30)

static char strings[4096];
static size_t strings_used;
static uint64_t rsdp;

uint64_t loader_rsdp(void)
{
	return rsdp;
}

static const void *at(uint64_t pa, uint64_t size)
{
	return pa && pa < MAPPED && size <= MAPPED - pa ? (const void *)(DIRECT_BASE + pa) : NULL;
}

/* A copy of the n-th of some structures, which need not be aligned. False: not in mapped memory. */
static bool fetch(void *to, uint64_t pa, uint64_t n, uint64_t size)
{
	const char *from = at(pa, (n + 1) * size);

	if (from)
		memcpy(to, from + n * size, size);
	return from;
}

/* A copy that stays; cut when the buffer is full, and said. */
static const char *keep(const char *s, size_t max)
{
	size_t n = s ? strnlen(s, max) : 0;
	char *copy = strings + strings_used;

	if (n + 1 > sizeof(strings) - strings_used) {
		log_error("boot loader: command lines are longer than %zu bytes in all: one is cut",
			  sizeof(strings));
		n = sizeof(strings) - strings_used ? sizeof(strings) - strings_used - 1 : 0;
		if (strings_used == sizeof(strings))
			return "";
	}
	memcpy(copy, s, n);
	copy[n] = '\0';
	strings_used += n + 1;
	return copy;
}

static const char *keep_at(uint64_t pa)
{
	const char *s = at(pa, 1);

	return s ? keep(s, MIN(MAPPED - pa, (uint64_t)2048)) : "";
}

/* What is not RAM: dom0's map shows it too. */
static void keep_other(uint64_t start, uint64_t end, uint32_t type)
{
	if (machine.nr_firmware == MAX_FIRMWARE_RANGES) {
		if (!machine.firmware_cut)
			log_error("memory map: more than %u pieces that are not RAM",
				  MAX_FIRMWARE_RANGES);
		machine.firmware_cut = true;
		return;
	}
	machine.firmware[machine.nr_firmware++] = (struct firmware_range){ start, end, type };
}

static void add_memory(uint64_t start, uint64_t size, uint32_t type)
{
	uint64_t end = start + size;

	if (!size)
		return;
	if (end < start) {
		log_error("memory map: entry at %llx wraps", (unsigned long long)start);
		return;
	}
	if (type != E820_RAM) {
		keep_other(start, end, type);
		return;
	}
	if (boot_info.nr_memory == BOOT_MAX_REGIONS) {
		log_error("memory map: more than %u pieces: %llx-%llx is not used",
			  BOOT_MAX_REGIONS, (unsigned long long)start, (unsigned long long)end);
		return;
	}
	boot_info.memory[boot_info.nr_memory].start = paddr(start);
	boot_info.memory[boot_info.nr_memory++].end = paddr(end);
}

static void add_module(uint64_t start, uint64_t end, const char *cmdline)
{
	static const char *const names[] = { "module 0", "module 1", "module 2", "module 3",
					     "module 4", "module 5", "module 6", "module 7" };
	struct boot_module *m = &boot_info.loaded[boot_info.nr_loaded];
	const char *name = boot_info.nr_loaded < ARRAY_SIZE(names) ? names[boot_info.nr_loaded]
								   : "a later module";

	if (boot_info.nr_loaded == BOOT_MAX_MODULES) {
		log_error("boot loader: more than %u modules: the rest is left out",
			  BOOT_MAX_MODULES);
		return;
	}
	/* Empty ones keep their number; whoever names them is told. */
	if (start >= end || end > BIT(52)) {
		log_error("boot loader: %s from %llx to %llx makes no sense: left out", name,
			  (unsigned long long)start, (unsigned long long)end);
		start = end = 0;
	}
	*m = (struct boot_module){
		.start = paddr(start),
		.size = end - start,
		.node = name,
		.cmdline = cmdline,
	};
	boot_info.nr_loaded++;
}

/* ---- multiboot ------------------------------------------------------------------------------------ */

struct mb1_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms[4], mmap_length, mmap_addr;
};
/* More than there is room for, so that it is said; not 2^32. */
#define MODULES_READ    (BOOT_MAX_MODULES + 1)
#define ENTRIES_READ    1024u

#define MB1_HAS_CMDLINE BIT(2)
#define MB1_HAS_MODULES BIT(3)
#define MB1_HAS_MEMMAP  BIT(6)

struct mb1_module {
	uint32_t start, end, string, reserved;
};

struct PACKED mb1_memory {
	uint32_t size; /* of what follows */
	uint64_t start, length;
	uint32_t type;
};

static bool read_mb1(uint64_t info)
{
	struct mb1_module mod;
	struct mb1_info mb;
	uint64_t pos, end;

	if (!fetch(&mb, info, 0, sizeof(mb)) || !(mb.flags & MB1_HAS_MEMMAP) ||
	    !at(mb.mmap_addr, mb.mmap_length)) {
		log_error("boot loader: multiboot information without a memory map");
		return false;
	}
	for (pos = mb.mmap_addr, end = pos + mb.mmap_length;
	     end - pos >= sizeof(struct mb1_memory);) {
		const struct mb1_memory *m = at(pos, sizeof(*m));

		add_memory(m->start, m->length, m->type);
		if (m->size < sizeof(*m) - 4 || m->size + 4ull > end - pos)
			break;
		pos += m->size + 4ull;
	}
	boot_info.cmdline = mb.flags & MB1_HAS_CMDLINE ? keep_at(mb.cmdline) : "";
	if (!(mb.flags & MB1_HAS_MODULES))
		return true;
	if (!at(mb.mods_addr, (uint64_t)mb.mods_count * sizeof(mod)) && mb.mods_count) {
		log_error("boot loader: a list of %u modules at %x: left out", mb.mods_count,
			  mb.mods_addr);
		return true;
	}
	for (uint32_t i = 0; i < MIN(mb.mods_count, MODULES_READ); i++)
		if (fetch(&mod, mb.mods_addr, i, sizeof(mod)))
			add_module(mod.start, mod.end, keep_at(mod.string));
	return true;
}

/* ---- multiboot2 ----------------------------------------------------------------------------------- */

struct mb2_tag {
	uint32_t type, size;
};
enum { MB2_END, MB2_CMDLINE, MB2_MODULE = 3, MB2_MEMMAP = 6, MB2_ACPI_OLD = 14, MB2_ACPI_NEW = 15 };

struct mb2_module {
	struct mb2_tag tag;
	uint32_t start, end;
	char string[];
};

struct mb2_memmap {
	struct mb2_tag tag;
	uint32_t entry_size, version;
};

struct mb2_memory {
	uint64_t start, length;
	uint32_t type, zero;
};

static void read_mb2_memmap(const struct mb2_memmap *t)
{
	const char *p = (const char *)(t + 1), *end = (const char *)t + t->tag.size;

	if (t->tag.size < sizeof(*t) || t->entry_size < sizeof(struct mb2_memory)) {
		log_error("boot loader: memory map with entries of %u bytes", t->entry_size);
		return;
	}
	for (; (size_t)(end - p) >= t->entry_size; p += t->entry_size) {
		struct mb2_memory m;

		memcpy(&m, p, sizeof(m));
		add_memory(m.start, m.length, m.type);
	}
}

static void read_mb2_tag(const struct mb2_tag *t, uint64_t pa)
{
	const struct mb2_module *m = (const struct mb2_module *)t;

	switch (t->type) {
	case MB2_CMDLINE:
		boot_info.cmdline = keep((const char *)(t + 1), t->size - sizeof(*t));
		break;
	case MB2_MODULE:
		if (t->size > sizeof(*m))
			add_module(m->start, m->end, keep(m->string, t->size - sizeof(*m)));
		break;
	case MB2_MEMMAP: read_mb2_memmap((const struct mb2_memmap *)t); break;
	case MB2_ACPI_OLD:
	case MB2_ACPI_NEW:
		/* A copy of the root pointer; the newer one comes later in the list, if there is one. */
		rsdp = pa + sizeof(*t);
		break;
	default: break;
	}
}

static bool read_mb2(uint64_t info)
{
	const uint32_t *head = info % 8 ? NULL : at(info, 8); /* 3.3: on an 8-byte boundary */
	uint64_t size = head ? head[0] : 0, pos = 8;

	if (size < 16 || !at(info, size)) {
		log_error("boot loader: multiboot2 information of %llu bytes",
			  (unsigned long long)size);
		return false;
	}
	while (size - pos >= sizeof(struct mb2_tag)) {
		const struct mb2_tag *t = at(info + pos, sizeof(*t));

		if (t->type == MB2_END)
			return true;
		if (t->size < sizeof(*t) || t->size > size - pos)
			break;
		read_mb2_tag(t, info + pos);
		pos += MIN(ROUND_UP((uint64_t)t->size, 8), size - pos);
	}
	log_error("boot loader: multiboot2 information ends in the middle, at byte %llu",
		  (unsigned long long)pos);
	return boot_info.nr_memory != 0;
}

/* ---- PVH ------------------------------------------------------------------------------------------ */

static bool read_pvh(uint64_t info)
{
	struct hvm_memmap_table_entry map;
	struct hvm_modlist_entry mod;
	struct hvm_start_info s;

	if (!fetch(&s, info, 0, sizeof(s)) || s.magic != XEN_HVM_START_MAGIC_VALUE ||
	    s.version < 1) {
		log_error("boot loader: PVH start info without a memory map");
		return false;
	}
	if (!at(s.memmap_paddr, (uint64_t)s.memmap_entries * sizeof(map))) {
		log_error("boot loader: PVH memory map of %u entries at %llx", s.memmap_entries,
			  (unsigned long long)s.memmap_paddr);
		return false;
	}
	for (uint32_t i = 0; i < MIN(s.memmap_entries, ENTRIES_READ); i++)
		if (fetch(&map, s.memmap_paddr, i, sizeof(map)))
			add_memory(map.addr, map.size, map.type);
	boot_info.cmdline = keep_at(s.cmdline_paddr);
	rsdp = s.rsdp_paddr;
	if (!at(s.modlist_paddr, (uint64_t)s.nr_modules * sizeof(mod)) && s.nr_modules) {
		log_error("boot loader: a list of %u modules at %llx: left out", s.nr_modules,
			  (unsigned long long)s.modlist_paddr);
		return true;
	}
	for (uint32_t i = 0; i < MIN(s.nr_modules, MODULES_READ); i++)
		if (fetch(&mod, s.modlist_paddr, i, sizeof(mod)))
			add_module(mod.paddr, mod.paddr + mod.size, keep_at(mod.cmdline_paddr));
	return true;
}

bool loader_read(uint32_t magic, uint32_t info)
{
	switch (magic) {
	case MB1_LOADED: return read_mb1(info);
	case MB2_LOADED: return read_mb2(info);
	case XEN_HVM_START_MAGIC_VALUE: return read_pvh(info);
	default:
		log_error("boot loader: magic number %x is neither multiboot's nor PVH's", magic);
		return false;
	}
}

/* ---- what does not fit together -------------------------------------------------------------------- */

/* One piece of RAM less whatever firmware says besides of it, and less the RAM that was listed before. */
static bool settle_piece(struct pieces *ram, uint64_t start, uint64_t end)
{
	static struct pieces p;

	p = (struct pieces){ .n = 1, .at = { { start, end } } };
	for (uint32_t i = 0; i < machine.nr_firmware; i++)
		if (!pieces_remove(&p, machine.firmware[i].start, machine.firmware[i].end))
			return false;
	for (uint32_t i = 0; i < ram->n; i++)
		if (!pieces_remove(&p, ram->at[i].start, ram->at[i].end))
			return false;
	if (p.n != 1 || p.at[0].start != start || p.at[0].end != end)
		log_warning(
		    "memory map: RAM from %llx to %llx overlaps another entry, which counts",
		    (unsigned long long)start, (unsigned long long)end);
	for (uint32_t i = 0; i < p.n; i++) {
		if (ram->n == BOOT_MAX_REGIONS)
			return false;
		ram->at[ram->n++] = p.at[i];
	}
	return true;
}

static bool settle_memory(void)
{
	static struct pieces ram;

	ram.n = 0;
	for (uint32_t i = 0; i < boot_info.nr_memory; i++)
		if (!settle_piece(&ram, boot_info.memory[i].start.a, boot_info.memory[i].end.a)) {
			log_error("memory map: RAM is in more than %u pieces", BOOT_MAX_REGIONS);
			return false;
		}
	for (uint32_t i = 0; i < ram.n; i++) {
		boot_info.memory[i].start = paddr(ram.at[i].start);
		boot_info.memory[i].end = paddr(ram.at[i].end);
	}
	boot_info.nr_memory = ram.n;
	return true;
}

static bool overlaps(const struct boot_module *m, uint64_t start, uint64_t end)
{
	return m->start.a < end && start < m->start.a + m->size;
}

static bool in_ram(const struct boot_module *m)
{
	for (uint32_t i = 0; i < boot_info.nr_memory; i++)
		if (m->start.a >= boot_info.memory[i].start.a &&
		    m->start.a < boot_info.memory[i].end.a &&
		    m->size <= boot_info.memory[i].end.a - m->start.a)
			return true;
	return false;
}

/* NULL: nothing is wrong with where module `n` lies. */
static const char *misplaced(uint32_t n, uint64_t image_start, uint64_t image_end)
{
	const struct boot_module *m = &boot_info.loaded[n];

	if (!in_ram(m))
		return "lies outside of RAM, or over what firmware reserves";
	if (overlaps(m, image_start, image_end))
		return "lies over the hypervisor";
	for (uint32_t i = 0; i < n; i++) {
		const struct boot_module *o = &boot_info.loaded[i];

		if (o->size && overlaps(m, o->start.a, o->start.a + o->size))
			return "lies over an earlier module";
	}
	return NULL;
}

bool loader_settle(uint64_t image_start, uint64_t image_end)
{
	if (!settle_memory())
		return false;
	for (uint32_t i = 0; i < boot_info.nr_loaded; i++) {
		struct boot_module *m = &boot_info.loaded[i];
		const char *why = m->size ? misplaced(i, image_start, image_end) : NULL;

		if (!why)
			continue;
		log_error("boot loader: %s, %llx bytes at %llx, %s: left out", m->node,
			  (unsigned long long)m->size, (unsigned long long)m->start.a, why);
		m->size = 0;
	}
	return true;
}

/* Conventional memory, above the BIOS's own first page; the highest page of the first piece. */
uint64_t x86_low_page(void)
{
	for (uint32_t i = 0; i < boot_info.nr_memory; i++) {
		uint64_t start = boot_info.memory[i].start.a;
		uint64_t end = MIN(boot_info.memory[i].end.a & PAGE_MASK, 0x9f000ull);

		if (start < 0x8000 && end >= 0x9000)
			return 0x8000;
		if (start < end && end - PAGE_SIZE >= start && end >= 2 * PAGE_SIZE)
			return end - PAGE_SIZE;
	}
	return 0;
}
