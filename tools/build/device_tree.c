/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device tree of an Arm guest: the virtual machine that xen/arch-arm.h describes, written in order with libfdt. The first error
 * stays; what is written after it is not.
 */
#include "parts.h"
#include "arm_abi.h"
#include <libfdt.h>
#include <stdio.h>

#define PHANDLE_GIC       65000u /* reserved for this in partial trees (xl.cfg(5), device_tree) */

/* Cells of the GIC binding: kind, number within the kind, trigger. */
#define GIC_SPI           0u
#define GIC_PPI           1u
#define GIC_LEVEL_HIGH    4u
#define GIC_LEVEL_LOW     8u
#define GIC_ALL_CPUS      0xf00u
#define FIRST_PPI         16u
#define FIRST_SPI         32u
#define CPUS_OF_A_CLUSTER 16u /* affinity level 0 of a GICv3's targets */

struct writer {
	void *tree;
	int err;
};

static void node(struct writer *w, const char *name)
{
	if (!w->err)
		w->err = fdt_begin_node(w->tree, name);
}

static void node_at(struct writer *w, const char *name, uint64_t unit)
{
	char full[64];

	snprintf(full, sizeof(full), "%s@%llx", name, (unsigned long long)unit);
	node(w, full);
}

static void end(struct writer *w)
{
	if (!w->err)
		w->err = fdt_end_node(w->tree);
}

static void bytes(struct writer *w, const char *name, const void *value, size_t n)
{
	if (!w->err)
		w->err = fdt_property(w->tree, name, value, (int)n);
}

static void string(struct writer *w, const char *name, const char *value)
{
	bytes(w, name, value, strlen(value) + 1);
}

static void cells(struct writer *w, const char *name, const uint32_t *value, size_t n)
{
	fdt32_t big[16];

	for (size_t i = 0; i < n; i++)
		big[i] = cpu_to_fdt32(value[i]);
	bytes(w, name, big, n * sizeof(big[0]));
}

static void cell(struct writer *w, const char *name, uint32_t value)
{
	cells(w, name, &value, 1);
}

/* Pairs of address and size, two cells each. */
static void regions(struct writer *w, const char *name, const struct build_range *r, size_t n)
{
	uint32_t value[16];

	for (size_t i = 0; i < n; i++) {
		value[4 * i] = (uint32_t)(r[i].start >> 32);
		value[4 * i + 1] = (uint32_t)r[i].start;
		value[4 * i + 2] = (uint32_t)(r[i].size >> 32);
		value[4 * i + 3] = (uint32_t)r[i].size;
	}
	cells(w, name, value, 4 * n);
}

static void number64(struct writer *w, const char *name, uint64_t value)
{
	fdt64_t big = cpu_to_fdt64(value);

	bytes(w, name, &big, sizeof(big));
}

/* ---- the nodes --------------------------------------------------------------------------------- */

static void chosen(struct writer *w, const struct build_request *r,
		   const struct build_range *ramdisk)
{
	node(w, "chosen");
	if (r->cmdline && *r->cmdline)
		string(w, "bootargs", r->cmdline);
	if (ramdisk->size) {
		number64(w, "linux,initrd-start", ramdisk->start);
		number64(w, "linux,initrd-end", ramdisk->start + ramdisk->size);
	}
	end(w);
}

static void cpus(struct writer *w, uint32_t n)
{
	node(w, "cpus");
	cell(w, "#address-cells", 1);
	cell(w, "#size-cells", 0);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t affinity = i % CPUS_OF_A_CLUSTER | (i / CPUS_OF_A_CLUSTER) << 8;

		node_at(w, "cpu", affinity);
		string(w, "device_type", "cpu");
		string(w, "compatible", "arm,armv8");
		cell(w, "reg", affinity);
		string(w, "enable-method", "psci");
		end(w);
	}
	end(w);
}

static void psci(struct writer *w)
{
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";

	node(w, "psci");
	bytes(w, "compatible", compatible, sizeof(compatible));
	string(w, "method", "hvc");
	end(w);
}

static void memory(struct writer *w, const struct build_plan *plan)
{
	for (uint32_t i = 0; i < plan->nr_banks; i++) {
		node_at(w, "memory", plan->bank[i].start);
		string(w, "device_type", "memory");
		regions(w, "reg", &plan->bank[i], 1);
		end(w);
	}
}

static void interrupt_controller(struct writer *w)
{
	static const struct build_range places[] = {
		{ GUEST_GICV3_GICD_BASE, GUEST_GICV3_GICD_SIZE },
		{ GUEST_GICV3_GICR0_BASE, GUEST_GICV3_GICR0_SIZE },
	};

	node_at(w, "interrupt-controller", GUEST_GICV3_GICD_BASE);
	string(w, "compatible", "arm,gic-v3");
	cell(w, "#interrupt-cells", 3);
	cell(w, "#address-cells", 0);
	bytes(w, "interrupt-controller", NULL, 0);
	regions(w, "reg", places, 2);
	cell(w, "phandle", PHANDLE_GIC);
	end(w);
}

static void timer(struct writer *w)
{
	static const uint32_t interrupts[] = {
		GIC_PPI, GUEST_TIMER_PHYS_S_PPI - FIRST_PPI,  GIC_ALL_CPUS | GIC_LEVEL_LOW,
		GIC_PPI, GUEST_TIMER_PHYS_NS_PPI - FIRST_PPI, GIC_ALL_CPUS | GIC_LEVEL_LOW,
		GIC_PPI, GUEST_TIMER_VIRT_PPI - FIRST_PPI,    GIC_ALL_CPUS | GIC_LEVEL_LOW,
	};

	node(w, "timer");
	string(w, "compatible", "arm,armv8-timer");
	cells(w, "interrupts", interrupts, 9);
	end(w);
}

static void hypervisor(struct writer *w)
{
	static const char compatible[] = "xen,xen-4.17\0xen,xen";
	static const struct build_range grants = { GUEST_GNTTAB_BASE, GUEST_GNTTAB_SIZE };
	static const uint32_t interrupt[] = { GIC_PPI, GUEST_EVTCHN_PPI - FIRST_PPI,
					      GIC_ALL_CPUS | GIC_LEVEL_LOW };

	node(w, "hypervisor");
	bytes(w, "compatible", compatible, sizeof(compatible));
	regions(w, "reg", &grants, 1);
	cells(w, "interrupts", interrupt, 3);
	end(w);
}

static void uart(struct writer *w)
{
	static const struct build_range place = { GUEST_PL011_BASE, GUEST_PL011_SIZE };
	static const uint32_t interrupt[] = { GIC_SPI, GUEST_VPL011_SPI - FIRST_SPI,
					      GIC_ALL_CPUS | GIC_LEVEL_HIGH };

	node_at(w, "sbsa-uart", GUEST_PL011_BASE);
	string(w, "compatible", "arm,sbsa-uart");
	regions(w, "reg", &place, 1);
	cells(w, "interrupts", interrupt, 3);
	cell(w, "current-speed", 115200);
	end(w);
}

static void root(struct writer *w, const struct build_request *r, const struct build_plan *plan,
		 const struct build_range *ramdisk)
{
	static const char compatible[] = "xen,xenvm-4.17\0xen,xenvm";

	string(w, "model", "XENVM-4.17");
	bytes(w, "compatible", compatible, sizeof(compatible));
	cell(w, "#address-cells", 2);
	cell(w, "#size-cells", 2);
	cell(w, "interrupt-parent", PHANDLE_GIC);
	chosen(w, r, ramdisk);
	cpus(w, r->vcpus);
	psci(w);
	memory(w, plan);
	interrupt_controller(w);
	timer(w);
	hypervisor(w);
	if (r->vuart)
		uart(w);
}

bool device_tree_write(const struct build_request *r, const struct build_plan *plan,
		       const struct build_range *ramdisk, void *buf, size_t room, size_t *size,
		       struct fault *f)
{
	struct writer w = { buf, fdt_create(buf, (int)room) };

	if (!w.err)
		w.err = fdt_finish_reservemap(buf);
	node(&w, "");
	root(&w, r, plan, ramdisk);
	if (!w.err && r->partial_tree.size && !partial_tree_copy(&r->partial_tree, buf, f))
		return false;
	end(&w);
	if (!w.err)
		w.err = fdt_finish(buf);
	if (w.err == -FDT_ERR_NOSPACE)
		return fault_set(f, F_COMMAND_LONG,
				 "the command line (%zu bytes) does not fit into the device tree",
				 r->cmdline ? strlen(r->cmdline) : 0);
	if (w.err)
		return fault_set(f, F_TREE, "the guest's device tree cannot be written: %s",
				 fdt_strerror(w.err));
	*size = (size_t)fdt_totalsize(buf);
	return true;
}
