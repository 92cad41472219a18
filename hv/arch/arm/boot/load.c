/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling a domain, in bounded steps: kernel unpacked (while booting, not bounded), memory, kernel, ramdisk, device tree, devices, first vCPU. The
 * guest begins with its caches off, so everything written for it is cleaned to memory.
 */
#include "boot.h"
#include <arch/boot.h>
#include <arch/memory.h>
#include <arch/vcpu.h>
#include <asm/gic.h>
#include <asm/vgic.h>
#include <asm/vpl011.h>
#include <hv/err.h>
#include <hv/log.h>
#include <hv/reason.h>
#include <hv/string.h>
#include <xen/hvm/params.h>

#define REDISTRIBUTOR   0x20000ull
#define DOMU_TREE_ORDER 4u /* 64 KiB */
/* What dom0's tree has beyond the host's. */
#define DOM0_TREE_MORE  0x10000u

enum load_phase {
	LOAD_UNPACK,
	LOAD_MEMORY,
	LOAD_KERNEL,
	LOAD_RAMDISK,
	LOAD_TREE,
	LOAD_DEVICES,
	LOAD_DONE
};

/* ---- before the vCPUs ----------------------------------------------------------------------------- */

/* Redistributors that the host's regions have room for: dom0 sees them at the same places. */
static uint32_t dom0_most_cpus(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < gic.nr_regions; i++)
		n += gic.region[i].size / REDISTRIBUTOR;
	return (uint32_t)MIN(n, (uint64_t)GUEST_MAX_VCPUS);
}

int arch_boot_domain_config(struct boot_domain *b, struct domain_config *cfg)
{
	uint32_t most = b->is_dom0 ? dom0_most_cpus() : GUEST_MAX_VCPUS;

	if (b->cpus > most) {
		log_warning("%s: %u vCPUs wanted, the interrupt controller has room for %u",
			    b->name, b->cpus, most);
		b->cpus = most;
		cfg->max_vcpus = most;
	}
	return passthrough_read(b);
}

int arch_boot_prepare(struct boot_domain *b, struct domain *d)
{
	int err;

	if (!b->is_dom0) {
		err = vgic_init(d, gpa(GUEST_GICV3_GICD_BASE),
				b->passthrough ? gic.nr_irqs - GIC_PRIVATE : DOMU_SPIS);
		return err ? err
			   : vgic_add_region(d, gpa(GUEST_GICV3_GICR0_BASE),
					     b->cpus * REDISTRIBUTOR);
	}
	err = vgic_init(d, gpa(gic.dist), gic.nr_irqs - GIC_PRIVATE);
	for (uint32_t i = 0; !err && i < gic.nr_regions; i++)
		err = vgic_add_region(d, gpa(gic.region[i].base), gic.region[i].size);
	return err;
}

/* ---- the device tree ------------------------------------------------------------------------------- */

/* Make the tree in `order` frames; NULL: refused, logged. */
static void *make_tree(struct boot_domain *b, struct domain *d, const struct plan *plan,
		       unsigned order, size_t *size)
{
	mfn_t m = frame_alloc(order, ALLOC_ANY_NODE, ALLOC_DIRTY);
	struct dt_writer w;

	if (!mfn_valid(m)) {
		log_error("%s: no memory to make its device tree in", b->path);
		return NULL;
	}
	dtw_begin(&w, frame_va(m), (size_t)PAGE_SIZE << order);
	if (b->is_dom0)
		tree_dom0(&w, b, d, plan);
	else
		tree_domu(&w, b, plan);
	if (dtw_finish(&w, b->path, size))
		return frame_va(m);
	frame_free(m, order);
	return NULL;
}

/* The device tree library may run only while booting: a domain's tree is kept for the next time. */
static bool keep_tree(struct boot_domain *b, const void *tree, size_t size)
{
	mfn_t m = frame_alloc(fill_order_for(size), ALLOC_ANY_NODE, 0);

	if (!mfn_valid(m))
		return false;
	b->tree = frame_va(m);
	b->tree_size = (uint32_t)size;
	memcpy(b->tree, tree, size);
	return true;
}

static int load_tree(struct boot_domain *b, struct domain *d, const struct plan *plan)
{
	unsigned order = b->is_dom0 ? fill_order_for(boot_info.fdt_size + DOM0_TREE_MORE)
				    : DOMU_TREE_ORDER;
	size_t size;
	void *tree;
	int err;

	if (b->tree)
		return fill_bytes(d, plan->tree, b->tree, b->tree_size);
	tree = make_tree(b, d, plan, order, &size);
	if (!tree)
		return -ENOMEM;
	err = fill_bytes(d, plan->tree, tree, size);
	if (!err && !b->is_dom0 && !keep_tree(b, tree, size))
		err = -ENOMEM;
	frame_free(frame_from_va(tree), order);
	return err;
}

/* ---- devices and the first vCPU --------------------------------------------------------------------- */

static int devices(struct boot_domain *b, struct domain *d)
{
	int err = 0;

	if (b->vpl011)
		err = vpl011_init(d, gpa(GUEST_PL011_BASE), GUEST_VPL011_SPI);
	if (!err && b->enhanced && !b->is_dom0)
		err = fill_pv_devices(b, d, gfn(GUEST_MAGIC_BASE >> PAGE_SHIFT));
	return err ? err : passthrough_give(b, d);
}

static int first_vcpu(struct domain *d, const struct plan *plan)
{
	vcpu_guest_context_t c = {
		.flags = VGCF_online,
		.user_regs = {
			.x0 = plan->tree,
			.pc64 = plan->kernel.start,
			.cpsr = PSR_GUEST64_INIT,
		},
		.sctlr = SCTLR_GUEST_INIT,
	};

	return arch_vcpu_set_context(domain_vcpu(d, 0), &c);
}

/* ---- in order ------------------------------------------------------------------------------------------ */

static int load_kernel(struct boot_domain *b, struct domain *d, const struct plan *plan)
{
	uint64_t size;
	const void *file = kernel_file(b, &size);

	return fill_copy_step(b, d, plan->kernel.start, file, size);
}

static int load_ramdisk(struct boot_domain *b, struct domain *d, const struct plan *plan)
{
	const struct boot_module *m = &boot_info.module[b->ramdisk];

	return fill_copy_step(b, d, plan->ramdisk.start, fill_module(m), m->size);
}

static int load_phase_step(struct boot_domain *b, struct domain *d)
{
	struct plan plan;

	if (b->phase == LOAD_UNPACK)
		return kernel_prepare(b) ? 0 : -EINVAL;
	if (b->phase == LOAD_MEMORY)
		return memory_step(b, d);
	if (!memory_plan(b, &plan) || !memory_place(b, &plan))
		return -EINVAL;
	switch ((enum load_phase)b->phase) {
	case LOAD_KERNEL: return load_kernel(b, d, &plan);
	case LOAD_RAMDISK: return b->ramdisk < 0 ? 0 : load_ramdisk(b, d, &plan);
	case LOAD_TREE: return load_tree(b, d, &plan);
	case LOAD_DEVICES: return devices(b, d);
	default: return first_vcpu(d, &plan);
	}
}

int arch_boot_load(struct boot_domain *b, struct domain *d)
{
	int err = load_phase_step(b, d);

	if (err || b->phase == LOAD_DONE)
		return err;
	b->phase++;
	b->progress = 0;
	return -ERR_RESTART;
}
