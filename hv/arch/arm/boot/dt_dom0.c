/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dom0's device tree: the host's, without what Krypton uses itself (console, interrupt controller's
 * physical side, CPUs, memory, IOMMUs) and without devices set aside for others (xen,passthrough). A
 * device that stays is dom0's: its registers are mapped where they are and its interrupts
 * routed. Called once, while booting.
 */
#include "boot.h"
#include <arch/irq.h>
#include <asm/gic.h>
#include <asm/machine.h>
#include <hv/domain.h>
#include <hv/log.h>
#include <hv/option.h>
#include <hv/string.h>

#define MAX_DEPTH    16
#define MAX_EXTENDED 8u
#define GRANT_REGION MIB2

struct dom0_tree {
	const void *host;
	struct dt_writer *w;
	struct boot_domain *b;
	struct domain *d;
	const struct plan *plan;
	int console; /* nodes of the host's tree */
};

/* ---- what stays away --------------------------------------------------------------------------- */

static BOOT_TEXT bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static BOOT_TEXT bool replaced_at_root(const char *name)
{
	static const char *const names[] = { "chosen", "memory",     "cpus",
					     "psci",   "hypervisor", "reserved-memory" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i]);

		if (has_prefix(name, names[i]) && (name[n] == '\0' || name[n] == '@'))
			return true;
	}
	return false;
}

static BOOT_TEXT bool kept_back(const struct dom0_tree *t, int node)
{
	static const char *const compatible[] = {
		"arm,gic-v3-its",     "arm,gic-v2m-frame",  "arm,smmu-v3", "arm,mmu-500",
		"arm,mmu-400",        "arm,smmu-v1",        "arm,smmu-v2", "arm,armv8-pmuv3",
		"arm,cortex-a53-pmu", "arm,cortex-a57-pmu", "xen,xen",
	};

	if (node == t->console || dt_has(t->host, node, "xen,passthrough"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(compatible); i++) {
		if (dt_is_compatible(t->host, node, compatible[i]))
			return true;
	}
	return false;
}

/* Properties that point to what stays away. */
static BOOT_TEXT bool dropped_property(const char *name)
{
	return strcmp(name, "iommus") == 0 || strcmp(name, "iommu-map") == 0 ||
	       strcmp(name, "iommu-map-mask") == 0 || strcmp(name, "msi-map") == 0 ||
	       strcmp(name, "msi-map-mask") == 0 || strcmp(name, "msi-parent") == 0;
}

/* ---- giving dom0 its devices --------------------------------------------------------------------- */

static BOOT_TEXT bool meets_memory(uint64_t start, uint64_t end)
{
	for (uint32_t i = 0; i < boot_info.nr_memory; i++) {
		if (start < boot_info.memory[i].end.a && boot_info.memory[i].start.a < end)
			return true;
	}
	return false;
}

static BOOT_TEXT void map_registers(struct dom0_tree *t, int node, uint64_t start, uint64_t size)
{
	uint64_t end = start + size, done = 0;
	mfn_t m = paddr_to_mfn(paddr(start));

	if (size == 0 || meets_memory(start, end)) {
		log_warning("%s: registers at 0x%llx (0x%llx bytes) not given to dom0",
			    dt_path(t->host, node), (unsigned long long)start,
			    (unsigned long long)size);
		return;
	}
	if (p2m_map_range(t->d, gfn(m.n), m, frames_for(end) - m.n, P2M_MMIO_DIRECT, &done) != 0)
		log_warning("%s: registers at 0x%llx cannot be mapped for dom0",
			    dt_path(t->host, node), (unsigned long long)start);
}

static BOOT_TEXT void route_interrupt(struct dom0_tree *t, int node, uint32_t intid, bool level)
{
	const struct irq *irq = arch_irq(intid);

	if (intid < GIC_PRIVATE || (irq && irq->owner == t->d))
		return; /* per-CPU ones are the timer's; several functions may share a line */
	if (arch_irq_assign(intid, t->d, intid, level) != 0)
		log_warning("%s: interrupt %u cannot be routed to dom0", dt_path(t->host, node),
			    intid);
}

static BOOT_TEXT uint32_t cell(const char *p, uint32_t i)
{
	uint32_t v;

	memcpy(&v, p + 4 * (size_t)i, 4);
	return __builtin_bswap32(v);
}

/* Windows of a PCI host bridge: memory and I/O space, three address cells below. */
static BOOT_TEXT void map_pci_windows(struct dom0_tree *t, int node)
{
	uint32_t ac, sc, pac, psc, size, entry;
	const char *p = dt_property(t->host, node, "ranges", &size);
	int parent = dt_parent(t->host, node);

	if (!p || !dt_cells(t->host, node, &ac, &sc) || !dt_cells(t->host, parent, &pac, &psc) ||
	    ac != 3 || pac != 2 || sc != 2)
		return;
	entry = 4 * (ac + pac + sc);
	for (uint32_t at = 0; at + entry <= size; at += entry) {
		uint64_t start = (uint64_t)cell(p + at, 3) << 32 | cell(p + at, 4);
		uint64_t n = (uint64_t)cell(p + at, 5) << 32 | cell(p + at, 6);

		if (n && start + n > start)
			map_registers(t, node, start, n);
	}
}

/* Legacy interrupts of a PCI host bridge: {3 address cells, 1 pin, parent, [address], GIC cells}. */
static BOOT_TEXT void route_pci_interrupts(struct dom0_tree *t, int node)
{
	static const uint32_t first[2] = { 32, 16 };
	uint32_t size, ac, nr;
	const char *p = dt_property(t->host, node, "interrupt-map", &size);

	for (uint32_t at = 0, n = size / 4; p && at + 5 <= n; at += 5 + ac + nr) {
		int parent = dt_by_phandle(t->host, cell(p, at + 4));
		const char *irq;

		ac = 0;
		if (parent < 0 || dt_u32(t->host, parent, "#interrupt-cells", &nr) != DT_OK ||
		    dt_u32(t->host, parent, "#address-cells", &ac) == DT_BAD || nr != 3 || ac > 4 ||
		    at + 5 + ac + nr > n)
			return;
		irq = p + 4 * (size_t)(at + 5 + ac);
		if (cell(irq, 0) == 0 && cell(irq, 1) < 988)
			route_interrupt(t, node, first[0] + cell(irq, 1), (cell(irq, 2) & 0xc) != 0);
	}
}

static BOOT_TEXT void take_device(struct dom0_tree *t, int node)
{
	uint64_t start, size;
	uint32_t intid;
	bool level;

	for (unsigned i = 0; dt_reg(t->host, node, i, &start, &size) == DT_OK; i++)
		map_registers(t, node, start, size);
	for (unsigned i = 0; dt_gic_interrupt(t->host, node, i, &intid, &level) == DT_OK; i++)
		route_interrupt(t, node, intid, level);
	if (dt_has(t->host, node, "interrupt-map")) {
		map_pci_windows(t, node);
		route_pci_interrupts(t, node);
	}
}

/* ---- the tree ------------------------------------------------------------------------------------ */

static BOOT_TEXT void copy_properties(struct dom0_tree *t, int node)
{
	const char *name;
	const void *value;
	uint32_t size;

	for (unsigned i = 0; (value = dt_property_at(t->host, node, i, &name, &size)); i++) {
		if (!dropped_property(name))
			dtw_bytes(t->w, name, value, size);
	}
}

/* The virtual controller has the places of the real one. */
static BOOT_TEXT void gic_node(struct dom0_tree *t, int node)
{
	const char *name;
	const void *value;
	uint32_t size;

	dtw_node(t->w, dt_name(t->host, node));
	for (unsigned i = 0; (value = dt_property_at(t->host, node, i, &name, &size)); i++) {
		/* The maintenance interrupt; children are not shown. */
		if (strcmp(name, "interrupts") != 0 && strcmp(name, "ranges") != 0 &&
		    !dropped_property(name))
			dtw_bytes(t->w, name, value, size);
	}
	dtw_end(t->w);
}

static BOOT_TEXT void copy_node(struct dom0_tree *t, int node, int depth)
{
	int child;

	if (depth == MAX_DEPTH) {
		log_warning("%s: too deep in the tree for dom0", dt_path(t->host, node));
		return;
	}
	if (node == gic.node) {
		gic_node(t, node);
		return;
	}
	if (kept_back(t, node))
		return;
	dtw_node(t->w, dt_name(t->host, node));
	copy_properties(t, node);
	if (dt_enabled(t->host, node))
		take_device(t, node);
	dt_for_each_child(t->host, child, node) copy_node(t, child, depth + 1);
	dtw_end(t->w);
}

/* Places for the grant table and for mappings of others' memory: RAM of the machine that dom0 has not. */
static BOOT_TEXT void hypervisor_node(struct dom0_tree *t)
{
	struct range r[MAX_EXTENDED];
	uint64_t regions[2 * (MAX_EXTENDED + 1)];
	uint32_t n = memory_unused(t->plan, r, MAX_EXTENDED), used = 0;

	if (n == 0) {
		log_warning("dom0: no address space left for grants");
		return;
	}
	regions[0] = r[0].start;
	regions[1] = GRANT_REGION;
	r[0].start += GRANT_REGION;
	r[0].size -= GRANT_REGION;
	for (uint32_t i = 0; i < n; i++) {
		if (r[i].size == 0)
			continue;
		used++;
		regions[2 * used] = r[i].start;
		regions[2 * used + 1] = r[i].size;
	}
	tree_hypervisor(t->w, regions, used + 1);
}

static BOOT_TEXT void chosen_node(struct dom0_tree *t)
{
	static const char *const kept[] = { "rng-seed", "kaslr-seed" };
	int chosen = dt_by_path(t->host, "/chosen");
	uint32_t size;

	dtw_node(t->w, "chosen");
	tree_chosen(t->w, t->b, t->plan);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const void *value = dt_property(t->host, chosen, kept[i], &size);

		if (value)
			dtw_bytes(t->w, kept[i], value, size);
	}
	dtw_end(t->w);
}

BOOT_TEXT void tree_dom0(struct dt_writer *w, struct boot_domain *b, struct domain *d,
			 const struct plan *plan)
{
	struct dom0_tree t = {
		.host = boot_info.fdt,
		.w = w,
		.b = b,
		.d = d,
		.plan = plan,
		.console = machine.uart_node,
	};
	const char *compatible;
	int child, cpu = dt_next_cpu(t.host, DT_ROOT);

	if (cpu < 0 || dt_string_at(t.host, cpu, "compatible", 0, &compatible) != DT_OK)
		compatible = "arm,armv8";
	dtw_node(w, "");
	dtw_copy_properties(w, t.host, DT_ROOT);
	chosen_node(&t);
	tree_cpus(w, b->cpus, compatible);
	tree_psci(w);
	tree_memory(w, plan);
	hypervisor_node(&t);
	dt_for_each_child(t.host, child, DT_ROOT)
	{
		if (!replaced_at_root(dt_name(t.host, child)))
			copy_node(&t, child, 0);
	}
	dtw_end(w);
}
