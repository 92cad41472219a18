/* SPDX-License-Identifier: Apache-2.0 */
/* What a PVH guest finds when it starts (xen/arch-x86/hvm/start_info.h), made in a buffer for plan->tables. */
#include "acpi_dom0.h"
#include "acpi_write.h"
#include "boot.h"
#include <asm/machine.h>
#include <hv/log.h>
#include <hv/string.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/xen.h>

#define MAX_ENTRIES (5u + MAX_BANKS + MAX_FIRMWARE_RANGES)

struct first_page {
	struct hvm_start_info info;
	struct hvm_modlist_entry module;
	struct hvm_memmap_table_entry map[MAX_ENTRIES];
};
_Static_assert(sizeof(struct first_page) <= TABLES_COMMAND, "boot.h");

static uint64_t pa_of(const void *field, const struct first_page *p, const struct plan *plan)
{
	return plan->tables + (uint64_t)((const char *)field - (const char *)p);
}

static void add(struct first_page *p, uint64_t start, uint64_t end, uint32_t type)
{
	if (start < end)
		p->map[p->info.memmap_entries++] = (struct hvm_memmap_table_entry){ start,
										    end - start,
										    type, 0 };
}

/* Ascending; what is not named is nothing. */
static void write_map(struct first_page *p, const struct plan *plan)
{
	uint64_t end = plan->bank[0].size, top = 0;

	for (uint32_t i = 1; i < plan->nr_banks; i++) {
		if (plan->bank[i].start == end) /* static ranges in a row */
			end += plan->bank[i].size;
		else
			top = plan->bank[i].size;
	}
	add(p, 0, MIN(end, LOW_RAM_END), XEN_HVM_MEMMAP_TYPE_RAM);
	add(p, TABLES_BASE, HIGH_RAM_BASE, XEN_HVM_MEMMAP_TYPE_ACPI);
	add(p, HIGH_RAM_BASE, end, XEN_HVM_MEMMAP_TYPE_RAM);
	add(p, SHARED_BASE, SHARED_BASE + SHARED_SIZE, XEN_HVM_MEMMAP_TYPE_RESERVED);
	add(p, ABOVE_4G, ABOVE_4G + top, XEN_HVM_MEMMAP_TYPE_RAM);
}

/* dom0's: its RAM, and of the machine's own map all that is not RAM. */
static void write_dom0_map(struct first_page *p, const struct plan *plan)
{
	uint64_t tables_end = plan->tables + TABLES_SIZE;

	for (uint32_t i = 0; i < plan->nr_banks; i++) {
		uint64_t start = plan->bank[i].start, end = start + plan->bank[i].size;

		if (plan->tables < start || plan->tables >= end) {
			add(p, start, end, XEN_HVM_MEMMAP_TYPE_RAM);
			continue;
		}
		add(p, start, plan->tables, XEN_HVM_MEMMAP_TYPE_RAM);
		add(p, plan->tables, tables_end, XEN_HVM_MEMMAP_TYPE_ACPI);
		add(p, tables_end, end, XEN_HVM_MEMMAP_TYPE_RAM);
	}
	for (uint32_t i = 0; i < machine.nr_firmware; i++)
		add(p, machine.firmware[i].start, machine.firmware[i].end, machine.firmware[i].type);
}

static bool write_tables(uint8_t *buf, const struct boot_domain *b, const struct plan *plan,
			 uint64_t *rsdp)
{
	const struct acpi_dom0 host = { &machine, boot_info.memory, boot_info.nr_memory, b->cpus };
	uint32_t room = TABLES_SIZE - TABLES_ACPI;

	return b->is_dom0 ? acpi_dom0(&host, buf, room, plan->tables + TABLES_ACPI, rsdp)
			  : acpi_domu(buf, room, plan->tables + TABLES_ACPI, b->cpus, rsdp);
}

bool start_info_write(uint8_t *buf, const struct boot_domain *b, const struct plan *plan)
{
	struct first_page *p = (struct first_page *)buf;

	p->info = (struct hvm_start_info){
		.magic = XEN_HVM_START_MAGIC_VALUE,
		.version = 1,
		.flags = b->is_dom0 ? SIF_PRIVILEGED | SIF_INITDOMAIN : 0,
		.cmdline_paddr = plan->tables + TABLES_COMMAND,
		.memmap_paddr = pa_of(p->map, p, plan),
	};
	if (plan->ramdisk.size) {
		p->info.nr_modules = 1;
		p->info.modlist_paddr = pa_of(&p->module, p, plan);
		p->module = (struct hvm_modlist_entry){ plan->ramdisk.start, plan->ramdisk.size, 0,
							0 };
	}
	if (b->is_dom0)
		write_dom0_map(p, plan);
	else
		write_map(p, plan);
	if (!strcopy((char *)buf + TABLES_COMMAND, b->bootargs, TABLES_ACPI - TABLES_COMMAND)) {
		log_error("%s: its command line is longer than %u bytes", b->path,
			  TABLES_ACPI - TABLES_COMMAND - 1);
		return false;
	}
	if (!write_tables(buf + TABLES_ACPI, b, plan, &p->info.rsdp_paddr)) {
		log_error("%s: no room for the ACPI tables of %u vCPUs", b->path, b->cpus);
		return false;
	}
	return true;
}
