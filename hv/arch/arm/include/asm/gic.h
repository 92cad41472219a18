/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's interrupt controller: one file for each version behind these names (gicv3.c; GICv2 goes
 * beside it and the choice becomes a table of these functions). An interrupt is ended in two
 * steps: its priority drops as soon as it is acknowledged for good, it is deactivated by us, or by the
 * guest that owns it (through the HW bit of a list register).
 */
#ifndef ASM_GIC_H
#define ASM_GIC_H

#include <asm/sysreg.h>
#include <hv/compiler.h>

struct cpu;
struct irq;

#define GIC_SGIS     16u
#define GIC_PRIVATE  32u
#define GIC_SPURIOUS 1020u /* this number and above: nothing was acknowledged */
#define GIC_PRIORITY 0xa0u /* of everything; the mask lets all pass */

#define SGI_KICK     0u
#define SGI_STOP     1u

/* What the host has, for the domains' device trees and virtual controllers. */
struct gic_info {
	int node;                 /* in the host's tree */
	unsigned version;         /* 3 */
	uint64_t dist, dist_size; /* machine addresses */
	uint32_t nr_regions;
	struct {
		uint64_t base, size;
		volatile uint8_t *va;
	} region[8];      /* redistributors */
	uint32_t nr_irqs; /* INTIDs below this exist (multiple of 32, at most 1020) */
	uint32_t ppi_hyp_timer, ppi_virt_timer, ppi_phys_timer, ppi_maintenance; /* INTIDs */
};
extern struct gic_info gic; /* [c] after gic_init() */

/* Find and set up the controller. Boot CPU; a missing or odd one is a panic that says so. */
void gic_init(const void *fdt);
/* The calling CPU's interface and private interrupts. False: it has no redistributor, logged. */
MUST_USE bool gic_cpu_init(struct cpu *c);

/* SGI to one CPU, or to all others. */
void gic_send_sgi(const struct cpu *to, unsigned sgi);
void gic_send_sgi_others(unsigned sgi);

/* Interrupt lines by number. Private ones: of the calling CPU. */
void gic_enable(uint32_t intid);
void gic_disable(uint32_t intid);
void gic_set_level(uint32_t intid, bool level);
void gic_route(uint32_t intid, const struct cpu *to);
void gic_clear_pending(uint32_t intid);
/* The active state, for what a vCPU leaves behind when it is switched out with an unfinished timer interrupt. */
void gic_set_active(uint32_t intid, bool active);

/* The next interrupt to handle, now active; GIC_SPURIOUS and above: none. */
static inline uint32_t gic_acknowledge(void)
{
	uint32_t intid = (uint32_t)sysreg_read(icc_iar1_el1);

	dsb(sy);
	return intid;
}

static inline void gic_drop_priority(uint32_t intid)
{
	sysreg_write(icc_eoir1_el1, intid);
}

static inline void gic_deactivate(uint32_t intid)
{
	sysreg_write(icc_dir_el1, intid);
}

/* Acknowledge and handle one interrupt. On the way out of a guest (exit_irq) and in idle. irq.c */
void irq_interrupt(void);

/* The table of interrupts, once their number is known. irq.c, boot. */
void irq_init(void);

/* ---- the virtual CPU interface (IHI 0069, 12.4): for vgic ------------------------------------------- */

#define ICH_LR_VINTID(n)      ((uint64_t)(n))
#define ICH_LR_PINTID(n)      ((uint64_t)(n) << 32)
#define ICH_LR_PRIORITY(p)    ((uint64_t)(p) << 48)
#define ICH_LR_EOI            BIT(41) /* maintenance interrupt at the end; not with HW */
#define ICH_LR_GROUP1         BIT(60)
#define ICH_LR_HW             BIT(61)
#define ICH_LR_PENDING        BIT(62)
#define ICH_LR_ACTIVE         BIT(63)

#define ICH_HCR_EN            BIT(0)
#define ICH_HCR_UIE           BIT(1) /* none or one list register is in use */
#define ICH_HCR_LRENPIE       BIT(2)
#define ICH_HCR_NPIE          BIT(3) /* none is pending */
#define ICH_HCR_TC            BIT(10)
#define ICH_HCR_TALL0         BIT(11)
#define ICH_HCR_TALL1         BIT(12)
#define ICH_HCR_TDIR          BIT(14)

#define ICH_VTR_LISTREGS(vtr) (((vtr)&0x1f) + 1)
#define ICH_VTR_PREBITS(vtr)  ((((vtr) >> 26) & 7) + 1)
#define ICH_VTR_PRIBITS(vtr)  ((((vtr) >> 29) & 7) + 1)

#define LR_CASES(x) \
	x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) x(15)

static inline uint64_t gich_read_lr(unsigned n)
{
	switch (n) {
#define X(i) \
	case i: return sysreg_read(ich_lr##i##_el2);
		LR_CASES(X)
#undef X
	}
	return 0;
}

static inline void gich_write_lr(unsigned n, uint64_t v)
{
	switch (n) {
#define X(i) \
	case i: sysreg_write(ich_lr##i##_el2, v); break;
		LR_CASES(X)
#undef X
	}
}

#endif
