/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IOMMUs: what a device can reach in memory, and which interrupts it can send. Core decides (which device is whose, what a
 * domain's devices may touch); a driver (AMD-Vi, VT-d, SMMU) makes hardware agree through struct iommu_ops.
 *
 *	unit	  one IOMMU of the machine; a driver finds and starts it
 *	device	  one source of DMA that a unit can tell from others: a PCI function, a stream
 *	context	  one set of tables, apart from the second-stage tables of CPUs; several devices can be in one
 *
 *	           iommu_assign()                     iommu_return()
 *	QUARANTINE ---------------> a domain's context ---------------> QUARANTINE
 *
 * A device is in exactly one context, from the moment its unit is started. The quarantine has no mapping and passes no interrupt:
 * it is where every device begins, where it returns to, and where one stays that nobody was given.
 *
 * A domain that is created with XEN_DOMCTL_CDF_iommu has a context (d->iommu) before it has memory. Its tables follow its
 * second-stage tables: core/mem/p2m.c, through which alone a mapping changes, calls the iommu_p2m_* functions below, under the
 * p2m lock, which is the lock of the context's tables. Table frames come from the domain's pool. What a type means
 * for devices is decided in one place (core/iommu/follow.c). A frame is given back only after the units have dropped it.
 */
#ifndef HV_IOMMU_H
#define HV_IOMMU_H

#include <hv/addr.h>
#include <hv/list.h>
#include <hv/lock.h>
#include <hv/p2m.h>

struct domain;
struct iommu_unit;
struct iommu_context;

#define MAX_IOMMUS   32u
#define IOMMU_LEVELS 6u /* most levels of tables that any kind has */
#define IOMMU_READ   1u /* access of a device to a frame */
#define IOMMU_WRITE  2u

/* A source of DMA; part of struct pci_dev, later of a platform device. Set up by iommu_device_init(). */
struct iommu_device {
	struct iommu_unit *unit;       /* [c] NULL: no unit sees what it does */
	uint32_t id;                   /* [c] what the unit calls it: requester or stream id */
	struct iommu_context *context; /* [iommu_lock] the one it is in */
	struct list link;              /* [iommu_lock] in context->devices */
	mfn_t irq_table; /* [iommu_lock] the driver's, while it is not in quarantine; INVALID_MFN: none */
	uint32_t irqs;   /* [iommu_lock] entries of it in use, from 0 */
	uint32_t faults; /* [a] reported since it came into its context */
	/*
	 * [its owner's lock] Who has given it to a domain wants to end that himself: iommu_return() calls this, without locks; it calls
	 * iommu_return() again when it is done, with `leave` NULL. -ERR_RESTART: not done.
	 */
	int (*leave)(struct iommu_device *dev);
};

/* One set of tables; a frame of the domain's pool. Quarantine's is static. */
struct iommu_context {
	struct domain *domain;             /* [c] NULL: quarantine */
	const struct iommu_format *format; /* [c] */
	mfn_t root;                        /* [c] INVALID_MFN: none (quarantine) */
	uint8_t levels;                    /* [c] of tables */
	uint16_t tag;   /* [c] what units tell translations of contexts apart by */
	uint32_t units; /* [p2m lock] bit i: devices of unit i are, or were, in it */
	mfn_t retired;  /* [p2m lock] a table taken out since the last flush; INVALID_MFN: none */
	bool caches_absent; /* [c] a unit keeps the absence of a mapping: flush what is added too */
	gfn_t stale,
	    stale_end; /* [p2m lock] what changed since the last flush; empty: stale_end is 0 */
	uint16_t at[IOMMU_LEVELS]; /* [p2m lock] destruction: how far each level is emptied */
	struct list devices;       /* [iommu_lock] */
	uint64_t mapped[3];        /* [p2m lock] leaves by size: 4K, 2M, 1G */
};

/*
 * Entries of a kind of tables: radix trees of 512 entries of 8 bytes, level 0 holding 4 KiB leaves, as second-stage tables are. Zero is
 * an empty entry. Entries are pure values; core walks and writes (core/iommu/table.c).
 */
struct iommu_format {
	uint64_t (*leaf)(mfn_t m, unsigned access, unsigned level);
	uint64_t (*table)(
	    mfn_t table,
	    unsigned level); /* an entry of `level` that points to a table of the level below */
	bool (*is_table)(uint64_t e, unsigned level);
	mfn_t (*mfn)(uint64_t e);
	unsigned (*access)(uint64_t e);
	/* `n` bytes at `va` were written and units do not see the CPU's cache; NULL: they do. */
	void (*clean)(const void *va, size_t n);
};

/* What a device must be told so that its message arrives as interrupt `index` of its table. */
struct msi_message {
	uint64_t address;
	uint32_t data;
};

/* Where a remapped interrupt goes. */
struct iommu_irq_target {
	uint32_t cpu; /* the architecture's number: APIC id */
	uint8_t vector;
};

/*
 * Where interrupts of an IO-APIC (by the id that ACPI gives it) with the vector `index` go; NULL: nowhere. Nothing happens when no unit is
 * behind it.
 */
typedef void iommu_pin_fn(uint32_t ioapic, uint8_t index, const struct iommu_irq_target *to);

/*
 * A kind of IOMMU. All functions are bounded; waiting for the hardware is too (a unit that does not finish its commands is the end of the
 * machine: isolation cannot be kept). Called with iommu_lock held but for `flush` (p2m lock) and the interrupt
 * functions of the boot CPU. None allocates but from the domain's pool.
 */
struct iommu_ops {
	const char *name;
	const struct iommu_format *format;
	/* Fill in levels of a new context of the domain. 0 or a refusal. */
	MUST_USE int (*context_init)(struct iommu_context *c);
	/* Put `dev` into `c` (quarantine: block it). On return nothing that it could reach before is cached. 0 or a refusal. */
	MUST_USE int (*attach)(struct iommu_device *dev, struct iommu_context *c);
	/*
	 * On return `u` uses no translation of `c` for the `n` frames at `g` (n = 0: any) that was removed before the call.
	 */
	void (*flush)(struct iommu_unit *u, struct iommu_context *c, gfn_t g, uint64_t n);

	/* ---- interrupt remapping; NULL where the interrupt controller does it (Arm) ---- */

	/* Interrupts that a device can have. */
	uint32_t max_irqs;
	/* Direct interrupt `index` of `dev` to `to`; NULL: block it. On return the old way is not used any more. */
	MUST_USE int (*irq_set)(struct iommu_device *dev, uint32_t index,
				const struct iommu_irq_target *to);
	void (*irq_message)(const struct iommu_device *dev, uint32_t index, struct msi_message *out);
	iommu_pin_fn *pin_set; /* NULL: the IO-APIC's entries say it all */
};

/* One IOMMU; the first member of the driver's own structure. */
struct iommu_unit {
	const struct iommu_ops *ops; /* [c] */
	struct lock lock;            /* rank IOMMU: its command queue and registers */
	uint32_t number;             /* [c] bit of iommu_context.units */
	bool caches_absent;          /* [c] set by the driver: absent entries are cached too */
	uint32_t nr_devices;         /* [iommu_lock] that were announced */
};

/* ---- what drivers call ---- */

/* `u` is started, with everything that it can see blocked. Boot. False: too many, or of another kind than the others (said). */
MUST_USE bool iommu_unit_add(struct iommu_unit *u);

enum iommu_fault_kind {
	IOMMU_FAULT_UNMAPPED, /* an address without a mapping */
	IOMMU_FAULT_ACCESS,   /* mapped, but not for this */
	IOMMU_FAULT_BLOCKED,  /* a device that may do nothing */
	IOMMU_FAULT_IRQ,      /* an interrupt that it was not given */
	IOMMU_FAULT_TABLE,    /* the unit found our tables wrong: our own bug */
	IOMMU_FAULT_HARDWARE, /* the unit could not read memory, or lost reports */
};

struct iommu_fault {
	enum iommu_fault_kind kind;
	uint32_t device;  /* the unit's name for it */
	uint64_t address; /* what it tried to reach; 0 when unknown */
	uint16_t tag;     /* the context's; 0 when unknown */
	bool write;
};

/*
 * A device did what it may not; at a limited rate into the log. Interrupt handlers. Returns how often that device has since it
 * came into its context (~0: it was never announced), by which a driver may stop listening to it.
 */
uint32_t iommu_fault(struct iommu_unit *u, const struct iommu_fault *f);

/* ---- devices ---- */

/* At least one unit works. Without one nobody is given a device. */
bool iommu_works(void);
/* In force: devices of a domain are confined. "AMD-Vi", or "none". */
const char *iommu_name(void);

/* Announce a source of DMA, seen by `u` (NULL: by none) under `id`. It is in quarantine. Boot and hot-plug. */
void iommu_device_init(struct iommu_device *dev, struct iommu_unit *u, uint32_t id);
/*
 * Move `dev` from quarantine to the context of `d`. R_DEVICE_NOT_ISOLATED (no unit sees it), R_DEVICE_IN_USE, R_NO_IOMMU_CONTEXT,
 * R_DOMAIN_DYING, the driver's.
 */
MUST_USE int iommu_assign(struct iommu_device *dev, struct domain *d);
/*
 * Back to quarantine; its interrupts are gone. Nothing happens when it is there already. -ERR_RESTART: its `leave` has not finished, call
 * again.
 */
MUST_USE int iommu_return(struct iommu_device *dev);
/* The domain whose context it is in, or NULL. May be stale at once. */
struct domain *iommu_owner(const struct iommu_device *dev);

/* ---- interrupts of devices ---- */

/* The next `n` interrupts of a device that was assigned: *first is their first index. R_IOMMU_IRQS. */
MUST_USE int iommu_irq_alloc(struct iommu_device *dev, uint32_t n, uint32_t *first);
/* As in struct iommu_ops, with the checks: index was allocated. */
MUST_USE int iommu_irq_set(struct iommu_device *dev, uint32_t index,
			   const struct iommu_irq_target *to);
void iommu_irq_message(const struct iommu_device *dev, uint32_t index, struct msi_message *out);

/*
 * An IO-APIC's entry with this vector is about to be opened: its interrupts go to the CPU that it names. x86; rank IRQ held. False: a unit is
 * in between and cannot reach that CPU.
 */
MUST_USE bool iommu_pin_open(uint32_t ioapic, const struct iommu_irq_target *to);

/* ---- contexts ---- */

/* A context for `d`, which is BUILDING and has no memory yet. R_NO_IOMMU, R_POOL_EXHAUSTED. */
MUST_USE int iommu_context_create(struct domain *d);
/* Return the devices of `d` and give tables back, one bounded step; -ERR_RESTART until done. DYING. */
MUST_USE int iommu_context_destroy_step(struct domain *d);
/* Frames that a context for so many frames of memory needs of the pool. */
uint32_t iommu_pool_need(uint64_t frames);

/* ---- what core/mem/p2m.c calls, p2m lock held, when d->iommu is not NULL ---- */

/*
 * Before a change of [g, g + 2^order): tables down to that size exist, larger leaves are split. Nothing that
 * devices see changes. R_POOL_EXHAUSTED.
 */
MUST_USE int iommu_p2m_prepare(struct domain *d, gfn_t g, unsigned order);
/* Now `g` maps 2^order frames at `m` with type `t` (P2M_NONE: nothing). Prepared, so it cannot fail. */
void iommu_p2m_set(struct domain *d, gfn_t g, mfn_t m, unsigned order, enum p2m_type t);
/* On return no device uses what earlier calls took away. Cheap when they took nothing. */
void iommu_p2m_flush(struct domain *d);

/* ---- what core/iommu's own tests and drivers' see ---- */

/* What devices get at `g`: access 0 when nothing. p2m lock held. */
unsigned iommu_lookup(const struct iommu_context *c, gfn_t g, mfn_t *m, unsigned *level);
extern struct iommu_context iommu_quarantine;

#endif
