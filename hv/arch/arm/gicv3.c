/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's GICv3 (IHI 0069): distributor, redistributors, CPU interface by system registers. Set up
 * once, then only lines are switched; each such call is one store to a register that the hardware
 * keeps consistent, under the lock of the struct irq concerned (irq.c).
 *
 * All interrupts are group 1 of one priority. EOImode is 1: dropping the priority and deactivating are two writes.
 */
#include <asm/fault.h>
#include <asm/gic.h>
#include <asm/mm.h>
#include <hv/assert.h>
#include <hv/cpu.h>
#include <hv/fdt.h>
#include <hv/log.h>

/* Distributor. */
enum {
	GICD_CTLR = 0x0000,
	GICD_TYPER = 0x0004,
	GICD_PIDR2 = 0xffe8,
	GICD_IROUTER = 0x6000,
};
#define CTLR_RWP         BIT(31)
#define CTLR_ARE         BIT(4)
#define CTLR_ENABLE_GRP1 BIT(1)

/* One register of 32 lines, 1 bit each, in the distributor and in a redistributor's second frame. */
enum {
	IGROUPR = 0x0080,
	ISENABLER = 0x0100,
	ICENABLER = 0x0180,
	ICPENDR = 0x0280,
	ISACTIVER = 0x0300,
	ICACTIVER = 0x0380,
	IPRIORITYR = 0x0400, /* 8 bits each */
	ICFGR = 0x0c00,      /* 2 bits each: bit 1 set is edge-triggered */
};

/* Redistributor, first frame. */
enum { GICR_CTLR = 0x0000, GICR_TYPER = 0x0008, GICR_WAKER = 0x0014, GICR_FRAME = 0x10000 };
#define TYPER_VLPIS      BIT(1)
#define TYPER_LAST       BIT(4)
#define WAKER_SLEEP      BIT(1)
#define WAKER_ASLEEP     BIT(2)

#define ICC_SRE_SRE      BIT(0)
#define ICC_SRE_DFB      BIT(1)
#define ICC_SRE_DIB      BIT(2)
#define ICC_SRE_ENABLE   BIT(3) /* EL1 may use its own ICC_SRE without a trap */
#define ICC_CTLR_EOIMODE BIT(1)

struct gic_info gic;

static volatile uint8_t *dist;   /* [c] */
static uint32_t private_enabled; /* [boot, then IRQ locks] private lines that each CPU switches on */

/* The hardware answers within a few cycles; a GIC that does not is broken, not busy. */
#define PATIENCE 1000000u

static void wait_clear(const volatile uint8_t *reg, uint64_t mask, const char *what)
{
	for (unsigned i = 0; i < PATIENCE; i++)
		if (!(mmio_read32(reg) & mask))
			return;
	panic("GICv3: %s does not settle", what);
}

static volatile uint8_t *redist_sgi(void)
{
	return this_cpu()->arch.gicr + GICR_FRAME;
}

/* The frame that holds the registers of this line. */
static volatile uint8_t *frame_of_line(uint32_t intid)
{
	return intid < GIC_PRIVATE ? redist_sgi() : dist;
}

static void write_bit(uint32_t intid, uint32_t reg)
{
	mmio_write32(frame_of_line(intid) + reg + intid / 32 * 4, 1u << (intid % 32));
}

void gic_enable(uint32_t intid)
{
	if (intid < GIC_PRIVATE)
		private_enabled |= 1u << intid;
	/* Everything the handler needs is in memory first. */
	dsb(ishst);
	write_bit(intid, ISENABLER);
}

void gic_disable(uint32_t intid)
{
	if (intid < GIC_PRIVATE) {
		private_enabled &= ~(1u << intid);
		write_bit(intid, ICENABLER);
		wait_clear(this_cpu()->arch.gicr + GICR_CTLR, BIT(3), "redistributor");
	} else {
		write_bit(intid, ICENABLER);
		wait_clear(dist + GICD_CTLR, CTLR_RWP, "distributor");
	}
}

void gic_set_level(uint32_t intid, bool level)
{
	volatile uint8_t *reg = frame_of_line(intid) + ICFGR + intid / 16 * 4;
	uint32_t bit = 2u << (intid % 16 * 2);
	uint32_t v = mmio_read32(reg);

	mmio_write32(reg, level ? v & ~bit : v | bit);
}

void gic_clear_pending(uint32_t intid)
{
	write_bit(intid, ICPENDR);
}

void gic_set_active(uint32_t intid, bool active)
{
	write_bit(intid, active ? ISACTIVER : ICACTIVER);
}

/* Affinity as IROUTER wants it: MPIDR's layout. */
void gic_route(uint32_t intid, const struct cpu *to)
{
	mmio_write64(dist + GICD_IROUTER + intid * 8, to->arch.mpidr);
}

/* ICC_SGI1R_EL1 without the interrupt's number: range selector and bit by the lowest affinity. */
static uint64_t sgi_target(uint64_t mpidr)
{
	uint64_t aff0 = mpidr & 0xff, aff1 = (mpidr >> 8) & 0xff, aff2 = (mpidr >> 16) & 0xff,
		 aff3 = (mpidr >> 32) & 0xff;

	return aff3 << 48 | (aff0 >> 4) << 44 | aff2 << 32 | aff1 << 16 | BIT(aff0 & 15);
}

void gic_send_sgi(const struct cpu *to, unsigned sgi)
{
	/* What the receiver is to see was written before. */
	dsb(ishst);
	sysreg_write(icc_sgi1r_el1, to->arch.sgi_target | (uint64_t)sgi << 24);
	isb();
}

void gic_send_sgi_others(unsigned sgi)
{
	dsb(ishst);
	sysreg_write(icc_sgi1r_el1, BIT(40) | (uint64_t)sgi << 24);
	isb();
}

/* ---- set-up ------------------------------------------------------------------------------------- */

static BOOT_TEXT void find_timers(const void *fdt)
{
	int node = dt_by_compatible(fdt, DT_ROOT, "arm,armv8-timer");
	/* Secure physical, physical, virtual, hypervisor (bindings: arm,arch_timer). */
	uint32_t *ppi[4] = { NULL, &gic.ppi_phys_timer, &gic.ppi_virt_timer, &gic.ppi_hyp_timer };
	bool level;

	if (node < 0)
		machine_unfit("the device tree has no generic timer (arm,armv8-timer)");
	for (unsigned i = 1; i < 4; i++) {
		if (dt_gic_interrupt(fdt, node, i, ppi[i], &level) != DT_OK)
			machine_unfit("%s: interrupt %u is missing or not the GIC's",
				      dt_path(fdt, node), i);
		if (*ppi[i] < GIC_SGIS || *ppi[i] >= GIC_PRIVATE)
			machine_unfit("%s: interrupt %u is not a private one", dt_path(fdt, node),
				      i);
	}
}

static BOOT_TEXT void find_regions(const void *fdt)
{
	uint64_t base, size;
	uint32_t n = 1;

	if (dt_u32(fdt, gic.node, "#redistributor-regions", &n) == DT_BAD || !n ||
	    n > ARRAY_SIZE(gic.region))
		machine_unfit("%s: bad #redistributor-regions", dt_path(fdt, gic.node));
	for (uint32_t i = 0; i < n; i++) {
		if (dt_reg(fdt, gic.node, 1 + i, &base, &size) != DT_OK)
			machine_unfit("%s: redistributor region %u is missing",
				      dt_path(fdt, gic.node), i);
		gic.region[i].base = base;
		gic.region[i].size = size;
		gic.region[i].va = mm_map_device(base, size);
	}
	gic.nr_regions = n;
}

BOOT_TEXT void gic_init(const void *fdt)
{
	uint32_t version;
	bool level;

	gic.node = dt_by_compatible(fdt, DT_ROOT, "arm,gic-v3");
	if (gic.node < 0)
		machine_unfit(
		    "the device tree has no GICv3 (arm,gic-v3); other interrupt controllers are "
		    "not supported");
	if (!((sysreg_read(id_aa64pfr0_el1) >> 24) & 0xf))
		machine_unfit("the CPU has no system registers for a GICv3");
	if (dt_reg(fdt, gic.node, 0, &gic.dist, &gic.dist_size) != DT_OK || gic.dist_size < 0x10000)
		machine_unfit("%s: the distributor's registers are missing", dt_path(fdt, gic.node));
	dist = mm_map_device(gic.dist, gic.dist_size);
	version = (mmio_read32(dist + GICD_PIDR2) >> 4) & 0xf;
	if (version != 3 && version != 4)
		machine_unfit("%s: the distributor is of version %u, not 3 or 4",
			      dt_path(fdt, gic.node), version);
	gic.version = 3;
	find_regions(fdt);
	find_timers(fdt);
	if (dt_gic_interrupt(fdt, gic.node, 0, &gic.ppi_maintenance, &level) != DT_OK ||
	    gic.ppi_maintenance >= GIC_PRIVATE)
		machine_unfit("%s: no maintenance interrupt: the GIC cannot serve guests",
			      dt_path(fdt, gic.node));

	mmio_write32(dist + GICD_CTLR, 0);
	wait_clear(dist + GICD_CTLR, CTLR_RWP, "distributor");
	gic.nr_irqs = MIN(((mmio_read32(dist + GICD_TYPER) & 0x1f) + 1) * 32, GIC_SPURIOUS);
	mmio_write32(dist + GICD_CTLR, CTLR_ARE);
	wait_clear(dist + GICD_CTLR, CTLR_RWP, "distributor");
	for (uint32_t i = GIC_PRIVATE; i < gic.nr_irqs; i += 32) {
		mmio_write32(dist + ICENABLER + i / 8, ~0u);
		mmio_write32(dist + ICPENDR + i / 8, ~0u);
		mmio_write32(dist + ICACTIVER + i / 8, ~0u);
		mmio_write32(dist + IGROUPR + i / 8, ~0u);
	}
	for (uint32_t i = GIC_PRIVATE; i < gic.nr_irqs; i += 4)
		mmio_write32(dist + IPRIORITYR + i, GIC_PRIORITY * 0x01010101u);
	for (uint32_t i = GIC_PRIVATE; i < gic.nr_irqs; i++)
		gic_route(i, this_cpu());
	wait_clear(dist + GICD_CTLR, CTLR_RWP, "distributor");
	mmio_write32(dist + GICD_CTLR, CTLR_ARE | CTLR_ENABLE_GRP1);
}

/* The redistributor whose affinity is `mpidr`'s; NULL: none. */
static volatile uint8_t *find_redistributor(uint64_t mpidr)
{
	uint32_t affinity = (uint32_t)((mpidr & 0xffffff) | ((mpidr >> 32) & 0xff) << 24);

	for (uint32_t i = 0; i < gic.nr_regions; i++) {
		volatile uint8_t *r = gic.region[i].va, *end = r + gic.region[i].size;
		uint64_t typer;

		do {
			typer = mmio_read64(r + GICR_TYPER);
			if ((uint32_t)(typer >> 32) == affinity)
				return r;
			/* With virtual LPIs a redistributor has two more frames. */
			r += typer & TYPER_VLPIS ? 4 * GICR_FRAME : 2 * GICR_FRAME;
		} while (!(typer & TYPER_LAST) && r + 2 * GICR_FRAME <= end);
	}
	return NULL;
}

bool gic_cpu_init(struct cpu *c)
{
	volatile uint8_t *r = find_redistributor(c->arch.mpidr);

	if (!r) {
		log_error("CPU %u: no redistributor has its affinity %llx", c->id,
			  (unsigned long long)c->arch.mpidr);
		return false;
	}
	c->arch.gicr = r;
	c->arch.sgi_target = sgi_target(c->arch.mpidr);
	mmio_write32(r + GICR_WAKER, mmio_read32(r + GICR_WAKER) & ~WAKER_SLEEP);
	wait_clear(r + GICR_WAKER, WAKER_ASLEEP, "redistributor's wake-up");
	r += GICR_FRAME;
	mmio_write32(r + ICENABLER, ~0u);
	mmio_write32(r + ICPENDR, ~0u);
	mmio_write32(r + ICACTIVER, ~0u);
	mmio_write32(r + IGROUPR, ~0u);
	for (uint32_t i = 0; i < GIC_PRIVATE; i += 4)
		mmio_write32(r + IPRIORITYR + i, GIC_PRIORITY * 0x01010101u);
	mmio_write32(r + ISENABLER, 1u << SGI_KICK | 1u << SGI_STOP | private_enabled);

	sysreg_write(icc_sre_el2, ICC_SRE_SRE | ICC_SRE_DFB | ICC_SRE_DIB | ICC_SRE_ENABLE);
	isb();
	sysreg_write(icc_pmr_el1, 0xff);
	sysreg_write(icc_bpr1_el1, 0);
	sysreg_write(icc_ctlr_el1, ICC_CTLR_EOIMODE);
	sysreg_write(ich_hcr_el2, 0);
	sysreg_write(icc_igrpen1_el1, 1);
	isb();
	return true;
}
