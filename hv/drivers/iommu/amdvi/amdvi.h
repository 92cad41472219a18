/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD-Vi: what the files of this driver share. Sections are those of AMD I/O Virtualization Technology (IOMMU) Specification, 48882,
 * revision 3.
 *
 *	ivrs.c	  which units there are and what they see, from the IVRS table (5.2)
 *	unit.c	  one unit: registers (3.4), commands (2.4), events (2.5)
 *	table.c	  entries of the device table (2.2.2), of page tables (2.2.3), of interrupt tables (2.2.5)
 *	ops.c	  struct iommu_ops, and starting all of it
 *	regs.c	  register accesses (a test has its own)
 */
#ifndef AMDVI_H
#define AMDVI_H

#include <arch/irq.h>
#include <hv/acpi.h>
#include <hv/iommu.h>
#include <hv/pci.h>
#include <hv/timer.h>

/* ---- IVRS ------------------------------------------------------------------------------------ */

#define IVRS_MAX_RANGES   512u
#define IVRS_MAX_SPECIALS 32u
#define IVRS_MAX_UNITY    32u

struct ivrs_unit {
	uint64_t base;        /* machine address of the registers */
	uint16_t segment, id; /* the PCI function that it is */
	uint16_t cap;         /* offset of its capability block */
	uint8_t type;         /* of the block that was used: 0x10, 0x11, 0x40 */
	uint8_t flags;        /* how firmware wants the HyperTransport side set up */
};

/* Devices first..last are seen by `unit`, as `alias` if that is not NO_ALIAS. */
#define NO_ALIAS 0xffffffffu
struct ivrs_range {
	uint16_t first, last;
	uint32_t alias;
	uint8_t unit;
	uint8_t data; /* which system interrupts pass (DTE setting, 5.2.2.6) */
};

#define SPECIAL_IOAPIC 1
#define SPECIAL_HPET   2
struct ivrs_special {
	uint16_t id;
	uint8_t kind, handle, unit, data;
};

/* Memory that devices use behind the back of the system (5.2.2.8). */
struct ivrs_unity {
	uint64_t start, end;  /* bytes, end exclusive */
	uint16_t first, last; /* devices */
	uint8_t flags;
};

struct ivrs {
	uint32_t nr_units, nr_ranges, nr_specials, nr_unity;
	uint32_t last_id; /* the highest device that is named with an end; 0: none */
	struct ivrs_unit unit[MAX_IOMMUS];
	struct ivrs_range range[IVRS_MAX_RANGES];
	struct ivrs_special special[IVRS_MAX_SPECIALS];
	struct ivrs_unity unity[IVRS_MAX_UNITY];
};

/* Fill in `out` from the table, whose length and checksum are right and nothing else. What makes no sense is named and left out. */
void ivrs_read(const struct acpi_header *table, struct ivrs *out);
/* The number of the unit that sees a device, and as what; -1: none. */
int ivrs_find(const struct ivrs *v, uint16_t segment, uint16_t id, uint32_t *seen_as);

/* ---- entries --------------------------------------------------------------------------------- */

struct amdvi_dte {
	uint64_t word[4];
};
_Static_assert(sizeof(struct amdvi_dte) == 32, "2.2.2.1");

/* Nothing passes, nothing is reported twice. */
void amdvi_dte_block(struct amdvi_dte *e);
/* Interrupts go by this table. */
void amdvi_dte_irqs(struct amdvi_dte *e, mfn_t irq_table);
void amdvi_dte_context(struct amdvi_dte *e, const struct iommu_context *c, mfn_t irq_table);

extern const struct iommu_format amdvi_format;

#define AMDVI_IRQS \
	256u /* of a device: half a kilobyte of index space that needs no delivery-mode bits */
uint32_t amdvi_irte(const struct iommu_irq_target *to); /* NULL: blocked */

/* ---- one unit -------------------------------------------------------------------------------- */

struct amdvi {
	struct iommu_unit unit;
	const struct ivrs_unit *found; /* [c] */
	volatile uint8_t *regs;        /* [c] */
	pci_id_t id;                   /* [c] */
	uint64_t features;             /* [c] extended feature register, 0: it has none */
	mfn_t table;                   /* [c] device table */
	uint32_t nr_ids;               /* [c] entries of it */
	mfn_t commands, events;        /* [c] rings */
	uint32_t tail;                 /* [l] of commands, bytes */
	uint32_t head;                 /* [l] of events, bytes */
	uint64_t fence;                /* [l] the last completion that was asked for */
	uint64_t done; /* written by the unit: the last completion; this structure is in a frame */
	struct irq irq;
	struct timer pause; /* between two looks at the events */
};

#define AMDVI_REGS_SIZE 0x4000u

/* regs.c */
uint64_t amdvi_reg_read(const struct amdvi *u, unsigned reg);
void amdvi_reg_write(const struct amdvi *u, unsigned reg, uint64_t value);

/*
 * Give a unit its tables, `nr_ids` devices all blocked, and switch it on. The structure is cleared but for found, id, regs. False: no
 * memory, or the unit does not do what it must (said). `except` may change entries of devices before the unit sees them.
 */
MUST_USE bool amdvi_unit_start(struct amdvi *u, uint32_t nr_ids,
			       void (*except)(struct amdvi *u, unsigned number), unsigned number);
static inline struct amdvi_dte *amdvi_dte(const struct amdvi *u, uint32_t id)
{
	return (struct amdvi_dte *)frame_va(u->table) + id;
}
/* Replace the entry of one device: on return the old one is not used any more, nor translations of context `old_tag`. */
void amdvi_unit_set_device(struct amdvi *u, uint32_t id, const struct amdvi_dte *e,
			   uint16_t old_tag);
/* On return translations of `n` frames at `g` (n = 0: all) of context `tag` are forgotten. */
void amdvi_unit_flush(struct amdvi *u, uint16_t tag, gfn_t g, uint64_t n);
/* On return entries of a device's interrupt table are read again. */
void amdvi_unit_flush_irqs(struct amdvi *u, uint32_t id);
/* Report what is in the event log; how many there were. */
uint32_t amdvi_unit_events(struct amdvi *u);

/* ---- all of them (ops.c) --------------------------------------------------------------------- */

extern const struct iommu_ops amdvi_ops;

#endif
