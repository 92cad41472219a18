/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PVH: flat 32-bit protected mode without paging, ebx is the start info (xen/arch-x86/hvm/start_info.h). The state goes in as the records of
 * xen/arch-x86/hvm/save.h, behind the header that the hypervisor itself makes for the domain: only it knows what that must say.
 */
#include "fill.h"
#include "start.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/hvm/save.h>

/* APM vol. 2, 2.5 and 4.8.1: what segments hold besides their selectors. */
#define CODE_FLAT   0xc9bu /* execute and read, 32-bit, pages, present */
#define DATA_FLAT   0xc93u
#define TASK_BUSY   0x08bu
#define TASK_LIMIT  0x67u
#define FLAT_LIMIT  0xffffffffu
#define CR0_PE      0x01u
#define CR0_ET      0x10u
#define FLAGS_FIXED 0x02u /* bit 1 of RFLAGS reads as one */
#define DR6_RESET   0xffff0ff0u
#define DR7_RESET   0x400u

struct record_cpu {
	struct hvm_save_descriptor descriptor;
	HVM_SAVE_TYPE(CPU) cpu;
} __attribute__((packed));

struct record_header {
	struct hvm_save_descriptor descriptor;
	HVM_SAVE_TYPE(HEADER) header;
} __attribute__((packed));

struct records {
	struct record_header header;
	struct record_cpu cpu;
	struct hvm_save_descriptor end;
} __attribute__((packed));

void start_describe(struct xen_domctl_createdomain *how)
{
	how->flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
	how->arch.emulation_flags = XEN_X86_EMU_LAPIC;
}

bool start_possible(struct fault *f)
{
	(void)f;
	return true;
}

static void fill_cpu(struct record_cpu *r, const struct build_plan *plan)
{
	struct hvm_hw_cpu c = { 0 };

	c.cs_limit = c.ds_limit = c.es_limit = c.ss_limit = FLAT_LIMIT;
	c.cs_arbytes = CODE_FLAT;
	c.ds_arbytes = c.es_arbytes = c.ss_arbytes = DATA_FLAT;
	c.tr_limit = TASK_LIMIT;
	c.tr_arbytes = TASK_BUSY;
	c.cr0 = CR0_PE | CR0_ET;
	c.rflags = FLAGS_FIXED;
	c.dr6 = DR6_RESET;
	c.dr7 = DR7_RESET;
	c.rip = plan->entry;
	c.rbx = plan->argument;
	r->cpu = c;
}

/* The header that the hypervisor would save for this domain. */
static int get_header(struct hcall *h, uint16_t domid, struct record_header *header)
{
	uint32_t size = 0;
	uint8_t *all;
	int err = hcall_get_state(h, domid, NULL, &size);

	if (err)
		return err;
	all = size >= sizeof(*header) ? malloc(size) : NULL;
	if (!all)
		return -ENOMEM;
	err = hcall_get_state(h, domid, all, &size);
	if (!err)
		memcpy(header, all, sizeof(*header));
	free(all);
	return err;
}

static int set_cpu(struct hcall *h, uint16_t domid, const struct build_plan *plan)
{
	struct records r = {
		.cpu.descriptor = { HVM_SAVE_CODE(CPU), 0, HVM_SAVE_LENGTH(CPU) },
		.end = { HVM_SAVE_CODE(END), 0, HVM_SAVE_LENGTH(END) },
	};
	int err = get_header(h, domid, &r.header);

	if (err)
		return err;
	fill_cpu(&r.cpu, plan);
	return hcall_set_state(h, domid, &r, sizeof(r));
}

/* Kernels that do not read the map of the start info ask the hypervisor for the same one. */
static int set_map(struct hcall *h, uint16_t domid, const struct build_plan *plan)
{
	for (uint32_t i = 0; i < plan->nr_pieces; i++) {
		const struct build_piece *p = &plan->piece[i];
		const struct hvm_start_info *info = (const void *)p->data;

		if (p->at.start == plan->argument)
			return hcall_set_memory_map(
			    h, domid, (const void *)(p->data + (info->memmap_paddr - p->at.start)),
			    info->memmap_entries);
	}
	return -EINVAL;
}

bool start_set(struct hcall *h, uint16_t domid, const struct build_plan *plan, struct fault *f)
{
	int err = set_map(h, domid, plan);

	if (err)
		return hypervisor_fault(h, err, "the memory map", f);
	err = set_cpu(h, domid, plan);
	return err == 0 || hypervisor_fault(h, err, "the first vCPU's registers", f);
}
