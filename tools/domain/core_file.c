/* SPDX-License-Identifier: Apache-2.0 */
/* See core_file.h. */
#include "core_file.h"
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/elfnote.h>

#define MAGIC_TRANSLATED 0xf00febeeull /* a domain with translated memory */
#define FORMAT_VERSION   1ull          /* major in the upper half: 0.1 */
#define RUNS_AT_FIRST    64u
#define LIST_PART        512u

#ifdef __aarch64__
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_X86_64
#endif

enum section { S_NONE, S_NAMES, S_NOTE, S_PRSTATUS, S_PAGES, S_PFN, NR_SECTIONS };

/* Where each name begins is counted in section_name(). */
static const char names[] = "\0.shstrtab\0.note.Xen\0.xen_prstatus\0.xen_pages\0.xen_pfn";

/* A note: its head and, behind it, what it describes. "Xen" with its 0 fills a word. */
struct note_head {
	Elf64_Nhdr elf;
	char name[4];
};

struct notes {
	struct note_head none;
	struct note_head header_head;
	struct core_header header;
	struct note_head version_head;
	struct core_xen_version version;
	struct note_head format_head;
	uint64_t format;
};

_Static_assert(sizeof(struct core_xen_version) == 1280 && sizeof(struct notes) == 1384,
	       "dump-core-format.txt: no padding");

/* All that stands before the contexts. */
struct front {
	Elf64_Ehdr elf;
	Elf64_Shdr section[NR_SECTIONS];
	struct notes notes;
};

static uint64_t to_page(uint64_t n)
{
	return (n + CORE_PAGE - 1) & ~(uint64_t)(CORE_PAGE - 1);
}

void core_file_begin(struct core_file *c, int fd, vcpu_guest_context_t *context, uint32_t nr_vcpus)
{
	*c = (struct core_file){ .fd = fd, .context = context, .nr_vcpus = nr_vcpus };
	c->pages_at = to_page(sizeof(struct front) + (uint64_t)nr_vcpus * sizeof(*context));
}

void core_file_free(struct core_file *c)
{
	free(c->context);
	free(c->run);
	*c = (struct core_file){ .fd = -1 };
}

static bool write_at(const struct core_file *c, uint64_t at, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n) {
		ssize_t done = pwrite(c->fd, p, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			errno = done ? errno : EIO;
			return false;
		}
		p += done;
		at += (uint64_t)done;
		n -= (size_t)done;
	}
	return true;
}

/* ---- frames ------------------------------------------------------------------------------------------ */

static bool note_run(struct core_file *c, uint64_t gfn, unsigned n)
{
	struct core_run *last = c->nr_runs ? &c->run[c->nr_runs - 1] : NULL;

	if (last && last->first + last->n == gfn) {
		last->n += n;
		return true;
	}
	if (!c->run || c->nr_runs == c->room) {
		size_t room = c->room ? c->room * 2 : RUNS_AT_FIRST;
		struct core_run *more = reallocarray(c->run, room, sizeof(*more));

		if (!more)
			return false;
		c->run = more;
		c->room = room;
	}
	c->run[c->nr_runs++] = (struct core_run){ gfn, n };
	return true;
}

static bool is_zero(const uint8_t *page)
{
	uint64_t word;

	memcpy(&word, page, sizeof(word));
	return !word && memcmp(page, page + sizeof(word), CORE_PAGE - sizeof(word)) == 0;
}

bool core_file_add(struct core_file *c, uint64_t gfn, const void *data, unsigned n)
{
	const uint8_t *page = data;

	if (!note_run(c, gfn, n))
		return false;
	for (unsigned i = 0, end; i < n; i = end) {
		bool hole = is_zero(page + (size_t)i * CORE_PAGE);

		for (end = i + 1; end < n; end++)
			if (is_zero(page + (size_t)end * CORE_PAGE) != hole)
				break;
		if (hole)
			continue;
		if (!write_at(c, c->pages_at + (c->nr_pages + i) * CORE_PAGE,
			      page + (size_t)i * CORE_PAGE, (size_t)(end - i) * CORE_PAGE))
			return false;
		c->stored += (uint64_t)(end - i) * CORE_PAGE;
	}
	c->nr_pages += n;
	return true;
}

/* ---- the end ------------------------------------------------------------------------------------------ */

static uint64_t pfn_at(const struct core_file *c)
{
	return c->pages_at + c->nr_pages * CORE_PAGE;
}

/* .xen_pfn. */
static bool write_list(const struct core_file *c)
{
	uint64_t part[LIST_PART], at = pfn_at(c);
	unsigned n = 0;

	for (size_t r = 0; r < c->nr_runs; r++)
		for (uint64_t i = 0; i < c->run[r].n; i++) {
			part[n++] = c->run[r].first + i;
			if (n < LIST_PART)
				continue;
			if (!write_at(c, at, part, sizeof(part)))
				return false;
			at += sizeof(part);
			n = 0;
		}
	return write_at(c, at, part, n * sizeof(part[0]));
}

static uint32_t section_name(enum section s)
{
	const char *name = names;

	for (unsigned i = 0; i < (unsigned)s; i++)
		name += strlen(name) + 1;
	return (uint32_t)(name - names);
}

static void describe(Elf64_Shdr *list, enum section s, uint32_t type, uint64_t at, uint64_t size,
		     uint64_t each, uint64_t align)
{
	list[s] = (Elf64_Shdr){
		.sh_name = section_name(s),
		.sh_type = type,
		.sh_offset = at,
		.sh_size = size,
		.sh_addralign = align,
		.sh_entsize = each,
	};
}

static void fill_sections(const struct core_file *c, Elf64_Shdr *list)
{
	const uint64_t each = sizeof(*c->context), pages = c->nr_pages;

	describe(list, S_NAMES, SHT_STRTAB, pfn_at(c) + pages * sizeof(uint64_t), sizeof(names), 0,
		 0);
	describe(list, S_NOTE, SHT_NOTE, offsetof(struct front, notes), sizeof(struct notes), 0, 0);
	describe(list, S_PRSTATUS, SHT_PROGBITS, sizeof(struct front), c->nr_vcpus * each, each, 8);
	describe(list, S_PAGES, SHT_PROGBITS, c->pages_at, pages * CORE_PAGE, CORE_PAGE, CORE_PAGE);
	describe(list, S_PFN, SHT_PROGBITS, pfn_at(c), pages * sizeof(uint64_t), sizeof(uint64_t),
		 8);
}

static struct note_head note(uint32_t type, uint32_t size)
{
	return (struct note_head){ { 4, size, type }, "Xen" };
}

static void fill_notes(const struct core_file *c, const struct core_xen_version *v, struct notes *n)
{
	n->none = note(XEN_ELFNOTE_DUMPCORE_NONE, 0);
	n->header_head = note(XEN_ELFNOTE_DUMPCORE_HEADER, sizeof(n->header));
	n->header = (struct core_header){ MAGIC_TRANSLATED, c->nr_vcpus, c->nr_pages, CORE_PAGE };
	n->version_head = note(XEN_ELFNOTE_DUMPCORE_XEN_VERSION, sizeof(n->version));
	n->version = *v;
	n->format_head = note(XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION, sizeof(n->format));
	n->format = FORMAT_VERSION;
}

bool core_file_end(struct core_file *c, const struct core_xen_version *version)
{
	struct front front = {
		.elf = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				     EV_CURRENT, ELFOSABI_SYSV },
			.e_type = ET_CORE,
			.e_machine = MACHINE,
			.e_version = EV_CURRENT,
			.e_shoff = offsetof(struct front, section),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = NR_SECTIONS,
			.e_shstrndx = S_NAMES,
		},
	};

	fill_sections(c, front.section);
	fill_notes(c, version, &front.notes);
	return write_list(c) &&
	       write_at(c, front.section[S_NAMES].sh_offset, names, sizeof(names)) &&
	       write_at(c, sizeof(front), c->context, c->nr_vcpus * sizeof(*c->context)) &&
	       write_at(c, 0, &front, sizeof(front));
}
