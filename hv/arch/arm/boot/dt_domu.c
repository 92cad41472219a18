/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device tree of a boot-time domain, made from nothing: the virtual machine that xen/arch-arm.h
 * describes. Its nodes that dom0's tree has too are functions of their own.
 */
#include "boot.h"
#include <asm/vcpu.h>
#include <hv/string.h>
#include <xen/xen.h>

#define PHANDLE_GIC    0xfde8u

/* Cells of the GIC binding: kind, number within the kind, trigger. */
#define GIC_SPI        0u
#define GIC_PPI        1u
#define GIC_LEVEL_HIGH 4u
#define GIC_LEVEL_LOW  8u
#define GIC_ALL_CPUS   0xf00u

static const char *const hypervisor_compatible = "xen,xen-4.17\0xen,xen";

BOOT_TEXT void tree_chosen(struct dt_writer *w, const struct boot_domain *b, const struct plan *plan)
{
	if (b->bootargs[0])
		dtw_string(w, "bootargs", b->bootargs);
	if (plan->ramdisk.size) {
		dtw_u64(w, "linux,initrd-start", plan->ramdisk.start);
		dtw_u64(w, "linux,initrd-end", plan->ramdisk.start + plan->ramdisk.size);
	}
}

BOOT_TEXT void tree_memory(struct dt_writer *w, const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->nr_banks; i++) {
		dtw_node_at(w, "memory", plan->bank[i].start);
		dtw_string(w, "device_type", "memory");
		dtw_ranges(w, "reg", &plan->bank[i].start, 1);
		dtw_end(w);
	}
}

BOOT_TEXT void tree_cpus(struct dt_writer *w, uint32_t cpus, const char *compatible)
{
	dtw_node(w, "cpus");
	dtw_u32(w, "#address-cells", 1);
	dtw_u32(w, "#size-cells", 0);
	for (uint32_t i = 0; i < cpus; i++) {
		uint64_t affinity = vcpu_affinity(i);

		dtw_node_at(w, "cpu", affinity);
		dtw_string(w, "device_type", "cpu");
		dtw_string(w, "compatible", compatible);
		dtw_u32(w, "reg", (uint32_t)affinity);
		dtw_string(w, "enable-method", "psci");
		dtw_end(w);
	}
	dtw_end(w);
}

BOOT_TEXT void tree_psci(struct dt_writer *w)
{
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";

	dtw_node(w, "psci");
	dtw_bytes(w, "compatible", compatible, sizeof(compatible));
	dtw_string(w, "method", "hvc");
	dtw_end(w);
}

BOOT_TEXT void tree_hypervisor(struct dt_writer *w, const uint64_t *regions, uint32_t n)
{
	dtw_node(w, "hypervisor");
	dtw_bytes(w, "compatible", hypervisor_compatible, sizeof("xen,xen-4.17\0xen,xen"));
	dtw_ranges(w, "reg", regions, n);
	dtw_array(w, "interrupts", GIC_PPI, GUEST_EVTCHN_PPI - 16, GIC_ALL_CPUS | GIC_LEVEL_LOW);
	dtw_end(w);
}

static BOOT_TEXT void gic_node(struct dt_writer *w, uint32_t phandle)
{
	const uint64_t regions[] = { GUEST_GICV3_GICD_BASE, GUEST_GICV3_GICD_SIZE,
				     GUEST_GICV3_GICR0_BASE, GUEST_GICV3_GICR0_SIZE };

	dtw_node_at(w, "interrupt-controller", GUEST_GICV3_GICD_BASE);
	dtw_string(w, "compatible", "arm,gic-v3");
	dtw_u32(w, "#interrupt-cells", 3);
	dtw_u32(w, "#address-cells", 0);
	dtw_flag(w, "interrupt-controller");
	dtw_ranges(w, "reg", regions, 2);
	dtw_u32(w, "phandle", phandle);
	dtw_end(w);
}

static BOOT_TEXT void timer_node(struct dt_writer *w)
{
	dtw_node(w, "timer");
	dtw_string(w, "compatible", "arm,armv8-timer");
	dtw_array(w, "interrupts", GIC_PPI, GUEST_TIMER_PHYS_S_PPI - 16,
		  GIC_ALL_CPUS | GIC_LEVEL_LOW, GIC_PPI, GUEST_TIMER_PHYS_NS_PPI - 16,
		  GIC_ALL_CPUS | GIC_LEVEL_LOW, GIC_PPI, GUEST_TIMER_VIRT_PPI - 16,
		  GIC_ALL_CPUS | GIC_LEVEL_LOW);
	dtw_end(w);
}

static BOOT_TEXT void uart_node(struct dt_writer *w)
{
	const uint64_t place[] = { GUEST_PL011_BASE, GUEST_PL011_SIZE };

	dtw_node_at(w, "sbsa-uart", GUEST_PL011_BASE);
	dtw_string(w, "compatible", "arm,sbsa-uart");
	dtw_ranges(w, "reg", place, 1);
	dtw_array(w, "interrupts", GIC_SPI, GUEST_VPL011_SPI - 32, GIC_ALL_CPUS | GIC_LEVEL_HIGH);
	dtw_u32(w, "current-speed", 115200);
	dtw_end(w);
}

BOOT_TEXT void tree_domu(struct dt_writer *w, const struct boot_domain *b, const struct plan *plan)
{
	static const char compatible[] = "xen,xenvm-4.17\0xen,xenvm";
	const uint64_t grants[] = { GUEST_GNTTAB_BASE, GUEST_GNTTAB_SIZE };
	uint32_t phandle = passthrough_gic_phandle(b, PHANDLE_GIC);

	dtw_node(w, "");
	dtw_string(w, "model", "XENVM-4.17");
	dtw_bytes(w, "compatible", compatible, sizeof(compatible));
	dtw_u32(w, "#address-cells", 2);
	dtw_u32(w, "#size-cells", 2);
	dtw_u32(w, "interrupt-parent", phandle);
	dtw_node(w, "chosen");
	tree_chosen(w, b, plan);
	dtw_end(w);
	tree_cpus(w, b->cpus, "arm,armv8");
	tree_psci(w);
	tree_memory(w, plan);
	gic_node(w, phandle);
	timer_node(w);
	if (b->enhanced)
		tree_hypervisor(w, grants, 1);
	if (b->vpl011)
		uart_node(w);
	passthrough_nodes(w, b);
	dtw_end(w);
}
