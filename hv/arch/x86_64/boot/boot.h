/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building PVH domains: what the files of x86_64/boot share. A plan says where in a domain's address space everything goes; it follows
 * from the description and the kernel, so it is made anew for each step and never stored.
 *
 *	0000_0000	RAM
 *	000a_0000	not RAM for the guest, as on a PC; populated all the same, so that the first 2 MiB are one page
 *	000e_0000	start info, memory map, module list, command line, ACPI tables
 *	0010_0000	RAM: the kernel where its file says, the ramdisk at the end
 *	c000_0000	nothing: devices
 *	feff_8000	pages that the hypervisor and the guest share: the PV console's
 *	fee0_0000	local APICs
 *	1_0000_0000	RAM beyond 3 GiB
 *
 * dom0's is the machine's (dom0.c).
 */
#ifndef X86_BOOT_BOOT_H
#define X86_BOOT_BOOT_H

#include <hv/boot.h>
#include <hv/fill.h>

#define LOW_RAM_END    0x000a0000ull
#define TABLES_BASE    0x000e0000ull
#define HIGH_RAM_BASE  0x00100000ull
#define HOLE_BASE      0xc0000000ull
#define SHARED_BASE    0xfeff8000ull
#define SHARED_SIZE    0x8000ull
#define ABOVE_4G       0x100000000ull
#define MAX_SEGMENTS   8u
#define MAX_BANKS      BOOT_MAX_REGIONS

/* Offsets from there. */
#define TABLES_COMMAND 0x1000u
#define TABLES_ACPI    0x2000u
#define TABLES_ORDER   3u
#define TABLES_SIZE    ((uint32_t)PAGE_SIZE << TABLES_ORDER)

/* A part of the kernel's file and where it goes. */
struct segment_place {
	uint64_t to;              /* guest physical */
	uint64_t size, file_size; /* bytes; what the file does not have is zero */
	uint64_t offset;          /* in the file */
};

struct kernel_image {
	const uint8_t *file; /* ELF */
	uint64_t size;
	uint32_t entry; /* XEN_ELFNOTE_PHYS32_ENTRY */
	uint32_t nr;
	struct segment_place segment[MAX_SEGMENTS]; /* ascending by `to` */
};

struct plan {
	uint32_t nr_banks;
	struct range bank[MAX_BANKS]; /* guest RAM as it is populated, ascending */
	struct kernel_image kernel;
	struct range ramdisk; /* size 0: none */
	uint64_t tables;      /* TABLES_BASE, but for dom0 */
};

/* elf.c: judge an ELF file of `size` bytes; `who` for messages. False: unusable, said. */
MUST_USE bool elf_parse(const char *who, const uint8_t *file, uint64_t size, struct kernel_image *k);

/* kernel.c */
/* Make the domain's kernel an ELF file in memory: unpack it, while booting; what is unpacked stays for the next time. */
MUST_USE bool kernel_prepare(struct boot_domain *b);
/* Judge it. False: unusable, said. */
MUST_USE bool kernel_parse(const struct boot_domain *b, struct kernel_image *k);

/* memory.c */
MUST_USE bool memory_plan(const struct boot_domain *b, struct plan *plan);
/* Where the ramdisk goes, and does the kernel fit? */
MUST_USE bool memory_place(const struct boot_domain *b, struct plan *plan);

/*
 * dom0.c: the same for dom0, whose map is the machine's. What the machine lacks for it: R_DOM0_NEEDS_IOMMU, R_DOM0_NO_FIRMWARE. Below, one step of
 * giving it what is not RAM.
 */
MUST_USE int dom0_config(struct domain_config *cfg);
MUST_USE bool dom0_plan(const struct boot_domain *b, struct plan *plan);
MUST_USE bool dom0_place(const struct boot_domain *b, struct plan *plan);
MUST_USE int dom0_holes_step(struct boot_domain *b, struct domain *d);

/* start_info.c: everything at plan->tables, into `buf` of TABLES_SIZE bytes. False: does not fit, said. */
MUST_USE bool start_info_write(uint8_t *buf, const struct boot_domain *b, const struct plan *plan);

#endif
