/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a PVH guest's memory lies, and what goes where in it:
 *
 *	0000_0000	RAM
 *	000a_0000	not RAM for the guest, as on a PC; populated all the same, so that the first 2 MiB are one page
 *	000e_0000	start info, memory map, module list, command lines, ACPI tables
 *	0010_0000	RAM: the kernel where its file says, ramdisk and modules at the end
 *	c000_0000	nothing: devices
 *	feff_8000	pages that the guest shares with back ends: console, store
 *	fee0_0000	local APICs
 *	1_0000_0000	RAM beyond 3 GiB
 */
#include "layout_x86.h"
#include <stdio.h>

#define MOST_VCPUS  128u
#define MOST_MEMORY ((uint64_t)1 << 39) /* what fits below 40 address bits with the hole */

/* Take `n` bytes from the end of low RAM down. False: they would meet the kernel. */
static bool place_below(uint64_t *top, uint64_t floor, uint64_t n, uint64_t *at)
{
	uint64_t room = ROUND_UP_TO(n, BUILD_PAGE);

	if (*top < floor || room > *top - floor)
		return false;
	*top -= room;
	*at = *top;
	return true;
}

static bool too_small(const struct build_request *r, const char *what, uint64_t n, uint64_t floor,
		      uint64_t end, struct fault *f)
{
	return fault_set(f, F_MEMORY_SMALL,
			 "%llu MiB of memory: %s (%llu KiB) does not fit: the kernel ends at %llu "
			 "KiB, RAM below 3 GiB at %llu KiB",
			 (unsigned long long)(r->memory / MIB), what, (unsigned long long)(n / 1024),
			 (unsigned long long)(floor / 1024), (unsigned long long)(end / 1024));
}

/* Everything that the start info lists as a module: the ramdisk first. */
static bool place_modules(const struct build_request *r, uint64_t floor, struct tables *t,
			  struct build_plan *plan, struct fault *f)
{
	uint64_t end = plan->bank[0].size, top = end, at;

	if (r->ramdisk.size) {
		if (!place_below(&top, floor, r->ramdisk.size, &at))
			return too_small(r, "the ramdisk", r->ramdisk.size, floor, end, f);
		plan_add(plan, "ramdisk", at, r->ramdisk.size, r->ramdisk.data, r->ramdisk.size);
		t->module[t->nr_modules++] = (struct table_module){ { at, r->ramdisk.size }, NULL };
	}
	for (uint32_t i = 0; i < r->nr_modules; i++) {
		const struct blob *b = &r->module[i].blob;

		if (!place_below(&top, floor, b->size, &at))
			return too_small(r, b->name, b->size, floor, end, f);
		if (b->size)
			plan_add(plan, "module", at, b->size, b->data, b->size);
		t->module[t->nr_modules++] = (struct table_module){ { at, b->size },
								    r->module[i].cmdline };
	}
	return true;
}

static void plan_banks(const struct build_request *r, struct build_plan *plan)
{
	uint64_t low = r->memory < HOLE_BASE ? r->memory : HOLE_BASE;

	plan->bank[plan->nr_banks++] = (struct build_range){ 0, low };
	if (r->memory > low)
		plan->bank[plan->nr_banks++] = (struct build_range){ ABOVE_4G, r->memory - low };
}

static bool place_kernel(const struct build_request *r, const struct blob *kernel, uint64_t *end,
			 struct build_plan *plan, struct fault *f)
{
	struct packed_kernel *packed = plan->packed;
	struct elf_kernel own, *k = packed ? &packed->elf : &own;
	uint64_t size = packed ? packed->bzimage.size : kernel->size;

	if (!elf_parse(kernel, size, HIGH_RAM_BASE, HOLE_BASE, k, f))
		return false;
	*end = k->segment[k->nr - 1].to + k->segment[k->nr - 1].size;
	if (*end > plan->bank[0].size)
		return fault_set(f, F_MEMORY_SMALL,
				 "%llu MiB of memory: the kernel %s needs RAM up to %llu KiB",
				 (unsigned long long)(r->memory / MIB), kernel->name,
				 (unsigned long long)(*end / 1024));
	for (uint32_t i = 0; i < k->nr; i++)
		plan_add(plan, "kernel", k->segment[i].to, k->segment[i].size,
			 packed ? NULL : kernel->data + k->segment[i].offset,
			 (size_t)k->segment[i].file_size);
	if (packed)
		return true;
	elf_take_notes(k, 0, kernel->data, kernel->size);
	if (!elf_entry(k, kernel->name, f))
		return false;
	plan->entry = k->entry;
	return true;
}

static bool not_a_kernel(const struct blob *kernel, struct fault *f)
{
	unsigned start = 0;

	if (arm64_is(kernel))
		return fault_set(f, F_KERNEL_ARCH, "%s: an Image: a kernel for Arm, not for x86",
				 kernel->name);
	for (size_t i = 0; i < 4; i++)
		start = start << 8 | (i < kernel->size ? kernel->data[i] : 0u);
	return fault_set(f, F_KERNEL_FORMAT,
			 "%s: neither a bzImage nor an ELF file: it starts with 0x%08x",
			 kernel->name, start);
}

bool layout_x86(const struct build_request *r, const struct blob *kernel, struct build_plan *plan,
		struct fault *f)
{
	struct tables tables = { .vcpus = r->vcpus, .cmdline = r->cmdline ? r->cmdline : "" };
	uint64_t end;
	uint8_t *buf;
	uint32_t used;

	if (r->vcpus == 0 || r->vcpus > MOST_VCPUS)
		return fault_set(f, F_VCPUS, "%u vCPUs: a PVH guest has 1 to %u", r->vcpus,
				 MOST_VCPUS);
	if (r->memory > MOST_MEMORY)
		return fault_set(f, F_MEMORY_LARGE, "%llu MiB of memory: at most %llu are possible",
				 (unsigned long long)(r->memory / MIB), MOST_MEMORY / MIB);
	if (r->partial_tree.size)
		return fault_set(f, F_TREE, "%s: device_tree: PVH guests have ACPI tables instead",
				 r->partial_tree.name);
	if (r->vuart)
		return fault_set(f, F_MODULES, "vuart: PVH guests have no emulated UART");
	if (!elf_is(kernel))
		return not_a_kernel(kernel, f);
	plan_banks(r, plan);
	if (!place_kernel(r, kernel, &end, plan, f) || !place_modules(r, end, &tables, plan, f))
		return false;
	buf = plan_alloc(plan, TABLES_SIZE, f);
	if (!buf)
		return false;
	used = tables_write(buf, plan, &tables, f);
	if (!used)
		return false;
	plan_add(plan, "start info and ACPI tables", TABLES_BASE, used, buf, used);
	if (!plan->kernel_kind)
		plan->kernel_kind = "ELF";
	plan->argument = TABLES_BASE;
	plan->console_gfn = SHARED_BASE / BUILD_PAGE;
	plan->store_gfn = plan->console_gfn + 1;
	return true;
}
