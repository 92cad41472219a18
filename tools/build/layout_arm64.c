/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an Arm guest's memory lies (xen/arch-arm.h) and what goes where: in the first bank, from its start, the kernel at its text
 * offset, and the device tree and the ramdisk behind it, so that the kernel's first 2 MiB block is not shared with either. The pages for
 * console and store lie in the magic region.
 */
#include "parts.h"
#include "arm_abi.h"

#define TREE_ROOM  0x10000u /* without the partial tree */
/* Offsets in the magic region, in pages; 2 and 3 are memory access and vuart in libxl's guests. */
#define CONSOLE_AT 0u
#define STORE_AT   1u
/* What GUEST_GICV3_GICR0_SIZE has room for: two 64 KiB frames each. */
#define MOST_VCPUS ((uint32_t)(GUEST_GICV3_GICR0_SIZE / 0x20000u))
/* Documentation/arch/arm64/booting.rst */
#define MOST_TREE  (2 * MIB)

static bool plan_banks(const struct build_request *r, struct build_plan *plan, struct fault *f)
{
	static const uint64_t base[] = GUEST_RAM_BANK_BASES, size[] = GUEST_RAM_BANK_SIZES;
	uint64_t left = r->memory;

	for (uint32_t i = 0; i < GUEST_RAM_BANKS && left; i++) {
		uint64_t n = left < size[i] ? left : size[i];

		plan->bank[plan->nr_banks++] = (struct build_range){ base[i], n };
		left -= n;
	}
	if (left)
		return fault_set(f, F_MEMORY_LARGE, "%llu MiB of memory: at most %llu are possible",
				 (unsigned long long)(r->memory / MIB),
				 (unsigned long long)(GUEST_RAM_MAX / MIB));
	return true;
}

struct places {
	struct build_range kernel, tree, ramdisk;
};

static bool place(const struct build_request *r, const struct arm64_image *k,
		  const struct build_plan *plan, size_t tree, struct places *at, struct fault *f)
{
	uint64_t end = plan->bank[0].start + plan->bank[0].size;

	at->kernel = (struct build_range){ plan->bank[0].start + k->text_offset, k->memory };
	at->tree = (struct build_range){ ROUND_UP_TO(at->kernel.start + k->memory, 2 * MIB), tree };
	at->ramdisk = (struct build_range){ ROUND_UP_TO(at->tree.start + tree, 2 * MIB),
					    r->ramdisk.size };
	if (at->ramdisk.start <= end && r->ramdisk.size <= end - at->ramdisk.start)
		return true;
	return fault_set(
	    f, F_MEMORY_SMALL,
	    "%llu MiB of memory: the kernel %s (%llu KiB), its device tree and a ramdisk of %llu "
	    "KiB need RAM up to %llu KiB of the first bank's %llu",
	    (unsigned long long)(r->memory / MIB), r->kernel.name,
	    (unsigned long long)(k->memory / 1024), (unsigned long long)(r->ramdisk.size / 1024),
	    (unsigned long long)((at->ramdisk.start - plan->bank[0].start + r->ramdisk.size) / 1024),
	    (unsigned long long)(plan->bank[0].size / 1024));
}

static bool check(const struct build_request *r, struct fault *f)
{
	if (r->vcpus == 0 || r->vcpus > MOST_VCPUS)
		return fault_set(f, F_VCPUS, "%u vCPUs: an Arm guest has 1 to %u", r->vcpus,
				 MOST_VCPUS);
	if (r->partial_tree.size > MOST_TREE - TREE_ROOM)
		return fault_set(f, F_TREE, "%s: device_tree: %zu bytes: at most %llu are possible",
				 r->partial_tree.name, r->partial_tree.size,
				 (unsigned long long)(MOST_TREE - TREE_ROOM));
	return r->partial_tree.size == 0 || partial_tree_check(&r->partial_tree, f);
}

bool layout_arm64(const struct build_request *r, const struct blob *kernel, struct build_plan *plan,
		  struct fault *f)
{
	size_t room = TREE_ROOM + r->partial_tree.size, tree_size;
	struct arm64_image k;
	struct places at;
	void *tree;

	if (!check(r, f) || !arm64_parse(kernel, &k, f) || !plan_banks(r, plan, f) ||
	    !place(r, &k, plan, room, &at, f))
		return false;
	tree = plan_alloc(plan, room, f);
	if (!tree || !device_tree_write(r, plan, &at.ramdisk, tree, room, &tree_size, f))
		return false;
	plan_add(plan, "kernel", at.kernel.start, at.kernel.size, kernel->data, kernel->size);
	plan_add(plan, "device tree", at.tree.start, tree_size, tree, tree_size);
	if (r->ramdisk.size)
		plan_add(plan, "ramdisk", at.ramdisk.start, at.ramdisk.size, r->ramdisk.data,
			 r->ramdisk.size);
	if (!plan->kernel_kind)
		plan->kernel_kind = "Image";
	plan->entry = at.kernel.start;
	plan->argument = at.tree.start;
	plan->console_gfn = GUEST_MAGIC_BASE / BUILD_PAGE + CONSOLE_AT;
	plan->store_gfn = GUEST_MAGIC_BASE / BUILD_PAGE + STORE_AT;
	return true;
}
