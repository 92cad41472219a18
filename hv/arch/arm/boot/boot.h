/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building domains on Arm: what the files of arm/boot share. A plan says where in a domain's
 * address space everything goes; it follows from the description (dom0: from the memory it got), so
 * it is made anew for each step and never stored.
 */
#ifndef ARM_BOOT_BOOT_H
#define ARM_BOOT_BOOT_H

#include <hv/boot.h>
#include <hv/fdt.h>
#include <hv/fill.h>

#define MAX_BANKS 16u
/* The kernel maps the tree by one or two 2 MiB blocks of its own (Linux, arm64/booting.rst). */
#define TREE_ROOM DT_MAX_SIZE
#define MIB2      ((uint64_t)2 << 20)

/* A kernel as its header describes it. */
struct kernel_image {
	uint64_t text_offset; /* from a 2 MiB boundary */
	uint64_t memory;      /* bytes it needs from there on, at least its file's size */
};

struct plan {
	uint32_t nr_banks;
	struct range bank[MAX_BANKS]; /* guest RAM, guest physical, ascending */
	struct range kernel, ramdisk; /* guest physical; ramdisk.size 0: none */
	uint64_t tree;                /* guest physical */
};

/* kernel.c */
/* Unpack the domain's kernel where it is packed, while booting; what is unpacked stays for the next time. */
MUST_USE bool kernel_prepare(struct boot_domain *b);
/* The file, unpacked. */
const void *kernel_file(const struct boot_domain *b, uint64_t *size);
/* Judge its header; false: unusable, logged. */
MUST_USE bool kernel_parse(const struct boot_domain *b, struct kernel_image *k);

/* memory.c */
/* Guest RAM of `b` into plan->bank. False: does not fit the address space, logged. */
MUST_USE bool memory_plan(const struct boot_domain *b, struct plan *plan);
/* Populate some of it; -ERR_RESTART until all is there. */
MUST_USE int memory_step(struct boot_domain *b, struct domain *d);
/* Where the kernel, the ramdisk and the tree go; false: no bank has room, logged. */
MUST_USE bool memory_place(const struct boot_domain *b, struct plan *plan);
/* Host RAM that dom0 does not have, in blocks of 2 MiB: address space free for mappings. Largest first. */
uint32_t memory_unused(const struct plan *plan, struct range *out, uint32_t max);

/* dt_dom0.c: dom0's tree from the host's; gives it the devices on the way. */
void tree_dom0(struct dt_writer *w, struct boot_domain *b, struct domain *d,
	       const struct plan *plan);
/* dt_domu.c */
void tree_domu(struct dt_writer *w, const struct boot_domain *b, const struct plan *plan);

/* dt_domu.c: nodes that both have. */
void tree_chosen(struct dt_writer *w, const struct boot_domain *b, const struct plan *plan);
void tree_memory(struct dt_writer *w, const struct plan *plan);
void tree_cpus(struct dt_writer *w, uint32_t cpus, const char *compatible);
void tree_psci(struct dt_writer *w);
void tree_hypervisor(struct dt_writer *w, const uint64_t *regions, uint32_t n);

/* passthrough.c: devices that a fragment of a tree (module b->dtb) names. */
/* Judge and keep it, before the domain exists; only while booting. */
MUST_USE int passthrough_read(struct boot_domain *b);
/* Registers and interrupt lines. */
MUST_USE int passthrough_give(struct boot_domain *b, struct domain *d);
/* The fragment's nodes for the domain's tree, and how they call the interrupt controller. */
void passthrough_nodes(struct dt_writer *w, const struct boot_domain *b);
uint32_t passthrough_gic_phandle(const struct boot_domain *b, uint32_t standard);

/* load.c: see arch/boot.h. Interrupts that a boot-time domain's controller has beside the private ones. */
#define DOMU_SPIS 32u

#endif
