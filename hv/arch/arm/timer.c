/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's clock is the physical counter; a CPU's deadline is its EL2 physical timer, whose
 * interrupt irq.c turns into SOFTIRQ_TIMER. Conversions are a multiplication with 32 fraction bits; the
 * factors are fixed at boot.
 */
#include <arch/timer.h>
#include <asm/fault.h>
#include <asm/gic.h>
#include <asm/host_timer.h>
#include <hv/assert.h>
#include <hv/fdt.h>

struct host_timer host_timer;

uint64_t arch_time_ns(void)
{
	return ticks_to_ns(host_ticks() - host_timer.start);
}

void arch_timer_set(uint64_t deadline_ns)
{
	uint64_t ticks, now;

	if (deadline_ns == ~(uint64_t)0) {
		sysreg_write(cnthp_ctl_el2, 0);
		return;
	}
	/* Only the distance is converted, so that what the factor lacks does not add up over months. */
	ticks = host_ticks();
	now = ticks_to_ns(ticks - host_timer.start);
	if (deadline_ns > now)
		ticks += ns_to_ticks(deadline_ns - now);
	sysreg_write(cnthp_cval_el2, ticks);
	sysreg_write(cnthp_ctl_el2, CNT_CTL_ENABLE);
}

BOOT_TEXT void host_timer_init(const void *fdt)
{
	uint64_t hz = sysreg_read(cntfrq_el0);
	int node = dt_by_compatible(fdt, DT_ROOT, "arm,armv8-timer");
	uint32_t given;

	/* Firmware that forgot the register says so in the tree. */
	if (node >= 0 && dt_u32(fdt, node, "clock-frequency", &given) == DT_OK)
		hz = given;
	if (hz < 1000000 || hz > 0xffffffff)
		machine_unfit("the counter's frequency cannot be %llu Hz", (unsigned long long)hz);
	host_timer.hz = (uint32_t)hz;
	host_timer.ns_per_tick = ((uint64_t)1000000000 << 32) / hz;
	host_timer.ticks_per_ns = (hz << 32) / 1000000000;
	host_timer.start = host_ticks();
}

void host_timer_cpu_init(void)
{
	sysreg_write(cnthp_ctl_el2, 0);
	gic_enable(gic.ppi_hyp_timer);
	gic_enable(gic.ppi_virt_timer);
	gic_enable(gic.ppi_maintenance);
}
