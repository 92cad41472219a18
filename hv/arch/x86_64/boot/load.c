/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling a PVH domain, in bounded steps: kernel unpacked (while booting, not bounded), memory, kernel, ramdisk, start info and ACPI tables,
 * PV devices, or dom0's own, first vCPU. dom0 is refused where no IOMMU confines its devices.
 */
#include "boot.h"
#include <arch/boot.h>
#include <arch/vcpu.h>
#include <asm/hvm.h>
#include <asm/msr.h>
#include <asm/vpci.h>
#include <hv/err.h>
#include <hv/frame.h>
#include <hv/log.h>
#include <hv/reason.h>

/* Local APIC ids are twice the vCPU's number; beyond 8 bits guests need more than we tell them yet. */
#define MOST_VCPUS 128u

enum load_phase {
	LOAD_UNPACK,
	LOAD_MEMORY,
	LOAD_HOLES,
	LOAD_KERNEL,
	LOAD_RAMDISK,
	LOAD_TABLES,
	LOAD_DEVICES,
	LOAD_DONE
};

int arch_boot_domain_config(struct boot_domain *b, struct domain_config *cfg)
{
	if (b->direct_map && !b->is_dom0) {
		log_error("%s: direct-map: a PVH guest's memory starts at 0", b->path);
		return -EINVAL;
	}
	if (b->vpl011)
		log_warning("%s: vpl011: not on x86, ignored", b->path);
	if (b->dtb >= 0)
		log_warning("%s: a device tree for devices: not on x86, ignored", b->path);
	if (b->cpus > MOST_VCPUS) {
		log_warning("%s: %u vCPUs wanted, %u are possible", b->name, b->cpus, MOST_VCPUS);
		b->cpus = cfg->max_vcpus = MOST_VCPUS;
	}
	cfg->direct_map = false;
	return b->is_dom0 ? dom0_config(cfg) : 0;
}

int arch_boot_prepare(struct boot_domain *b, struct domain *d)
{
	return 0;
}

/* One piece of the segment that b->progress, counted over all segments, is in. */
static int load_kernel(struct boot_domain *b, struct domain *d, const struct kernel_image *k)
{
	uint64_t before = 0, done = b->progress;
	int err;

	for (uint32_t i = 0; i < k->nr; i++) {
		const struct segment_place *s = &k->segment[i];

		if (done - before >= s->file_size) {
			before += s->file_size;
			continue;
		}
		b->progress = done - before;
		err = fill_copy_step(b, d, s->to, k->file + s->offset, s->file_size);
		b->progress += before;
		return err ? err : -ERR_RESTART;
	}
	return 0;
}

static int load_ramdisk(struct boot_domain *b, struct domain *d, const struct plan *plan)
{
	if (!plan->ramdisk.size)
		return 0;
	return fill_copy_step(b, d, plan->ramdisk.start, fill_module(&boot_info.module[b->ramdisk]),
			      plan->ramdisk.size);
}

static int load_tables(struct boot_domain *b, struct domain *d, const struct plan *plan)
{
	mfn_t m = frame_alloc(TABLES_ORDER, ALLOC_ANY_NODE, 0);
	int err;

	if (!mfn_valid(m))
		return refuse(R_NO_MEMORY, d->id, 0, 1u << TABLES_ORDER);
	if (start_info_write(frame_va(m), b, plan))
		err = fill_bytes(d, plan->tables, frame_va(m), TABLES_SIZE);
	else
		err = -EINVAL;
	frame_free(m, TABLES_ORDER);
	return err;
}

static int devices(struct boot_domain *b, struct domain *d)
{
	if (b->is_dom0)
		return vpci_give_all(d, &b->progress);
	return b->enhanced ? fill_pv_devices(b, d, gfn(SHARED_BASE >> PAGE_SHIFT)) : 0;
}

/* 32-bit protected mode, flat, paging off, ebx the start info (Xen's docs/misc/pvh: boot protocol). */
static int first_vcpu(struct domain *d, const struct plan *plan)
{
	const struct segment code = { .selector = 8, .attr = 0xc9b, .limit = ~0u };
	const struct segment data = { .selector = 16, .attr = 0xc93, .limit = ~0u };
	struct vcpu *v = domain_vcpu(d, 0);
	struct hvm_state s;

	hvm->get_state(v, &s);
	s.cr0 = CR0_PE | CR0_ET;
	s.rip = plan->kernel.entry;
	s.seg[SEG_CS] = code;
	s.seg[SEG_DS] = s.seg[SEG_ES] = s.seg[SEG_SS] = s.seg[SEG_FS] = s.seg[SEG_GS] = data;
	s.seg[SEG_TR] = (struct segment){ .attr = 0x08b, .limit = 0x67 };
	hvm->set_state(v, &s);
	v->arch.regs.rbx = plan->tables;
	return 0;
}

/* ---- in order ------------------------------------------------------------------------------------- */

static int load_phase_step(struct boot_domain *b, struct domain *d)
{
	struct plan plan;

	if (b->phase == LOAD_UNPACK)
		return kernel_prepare(b) ? 0 : -EINVAL;
	if (!memory_plan(b, &plan))
		return -EINVAL;
	if (b->phase == LOAD_MEMORY)
		return fill_memory_step(b, d, plan.bank, plan.nr_banks);
	if (b->phase == LOAD_HOLES)
		return b->is_dom0 ? dom0_holes_step(b, d) : 0;
	if (!kernel_parse(b, &plan.kernel) || !memory_place(b, &plan))
		return -EINVAL;
	switch ((enum load_phase)b->phase) {
	case LOAD_KERNEL: return load_kernel(b, d, &plan.kernel);
	case LOAD_RAMDISK: return load_ramdisk(b, d, &plan);
	case LOAD_TABLES: return load_tables(b, d, &plan);
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
