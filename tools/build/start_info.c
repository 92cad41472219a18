/* SPDX-License-Identifier: Apache-2.0 */
/* What a PVH guest finds when it starts (xen/arch-x86/hvm/start_info.h), made in a buffer for TABLES_BASE. */
#include "../../hv/arch/x86_64/boot/acpi_write.h"
#include "layout_x86.h"
#include <xen/arch-x86/hvm/start_info.h>

/* Linux takes 2,048 bytes with the final zero (COMMAND_LINE_SIZE). */
#define MOST_COMMAND 2047u
#define MAX_ENTRIES  (4u + BUILD_MAX_BANKS)

struct first_page {
	struct hvm_start_info info;
	struct hvm_memmap_table_entry map[MAX_ENTRIES];
	struct hvm_modlist_entry module[BUILD_MAX_MODULES + 1];
};

static void add(struct first_page *p, uint64_t start, uint64_t end, uint32_t type)
{
	if (start < end)
		p->map[p->info.memmap_entries++] = (struct hvm_memmap_table_entry){ start,
										    end - start,
										    type, 0 };
}

/* Ascending; what is not named is nothing. */
static void write_map(struct first_page *p, const struct build_plan *plan)
{
	uint64_t low = plan->bank[0].size;

	add(p, 0, low < LOW_RAM_END ? low : LOW_RAM_END, XEN_HVM_MEMMAP_TYPE_RAM);
	add(p, TABLES_BASE, HIGH_RAM_BASE, XEN_HVM_MEMMAP_TYPE_ACPI);
	add(p, HIGH_RAM_BASE, low, XEN_HVM_MEMMAP_TYPE_RAM);
	add(p, SHARED_BASE, SHARED_BASE + SHARED_SIZE, XEN_HVM_MEMMAP_TYPE_RESERVED);
	if (plan->nr_banks > 1)
		add(p, ABOVE_4G, ABOVE_4G + plan->bank[1].size, XEN_HVM_MEMMAP_TYPE_RAM);
}

/* A string at offset *at; its guest address. False: too long. */
static bool put_string(uint8_t *buf, uint32_t *at, const char *text, uint64_t *pa, struct fault *f)
{
	size_t n = strlen(text);

	if (n > MOST_COMMAND || n >= TABLES_SIZE - *at)
		return fault_set(
		    f, F_COMMAND_LONG,
		    "a command line of %zu bytes: at most %u are possible, and %u for all together",
		    n, MOST_COMMAND, TABLES_SIZE - (uint32_t)sizeof(struct first_page));
	memcpy(buf + *at, text, n + 1);
	*pa = TABLES_BASE + *at;
	*at += (uint32_t)n + 1;
	return true;
}

uint32_t tables_write(uint8_t *buf, const struct build_plan *plan, const struct tables *t,
		      struct fault *f)
{
	uint32_t at = sizeof(struct first_page), acpi, used;
	struct first_page p = {
		.info = {
			.magic = XEN_HVM_START_MAGIC_VALUE,
			.version = 1,
			.nr_modules = t->nr_modules,
			.memmap_paddr = TABLES_BASE + offsetof(struct first_page, map),
		},
	};

	if (!put_string(buf, &at, t->cmdline, &p.info.cmdline_paddr, f))
		return 0;
	if (t->nr_modules)
		p.info.modlist_paddr = TABLES_BASE + offsetof(struct first_page, module);
	for (uint32_t i = 0; i < t->nr_modules; i++) {
		const struct table_module *m = &t->module[i];

		p.module[i].paddr = m->at.start;
		p.module[i].size = m->at.size;
		if (m->cmdline && !put_string(buf, &at, m->cmdline, &p.module[i].cmdline_paddr, f))
			return 0;
	}
	write_map(&p, plan);
	acpi = (uint32_t)ROUND_UP_TO(at, BUILD_PAGE);
	used = acpi_domu(buf + acpi, TABLES_SIZE - acpi, TABLES_BASE + acpi, t->vcpus,
			 &p.info.rsdp_paddr);
	if (!used) {
		fault_fill(
		    f, F_COMMAND_LONG,
		    "the command lines (%u bytes) leave no room for the ACPI tables of %u vCPUs",
		    at, t->vcpus);
		return 0;
	}
	memcpy(buf, &p, sizeof(p));
	return acpi + used;
}
