/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices for boot-time domains: the device tree fragment that comes as a module. Below /passthrough
 * each node with xen,path names a device of the host, xen,reg which of its registers go where.
 * Only what the host's node has, and only nodes set aside by xen,passthrough, can be given away. What
 * was read is kept, so that a domain that reboots gets the same again.
 */
#include "boot.h"
#include <arch/irq.h>
#include <asm/gic.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/log.h>
#include <hv/string.h>

#define MAX_REGISTERS 64u
#define MAX_LINES     64u

struct passthrough {
	uint32_t nr_registers, nr_lines;
	struct {
		uint64_t host, guest, size;
	} registers[MAX_REGISTERS];
	struct {
		uint32_t intid;
		bool level;
	} line[MAX_LINES];
};
_Static_assert(sizeof(struct passthrough) <= PAGE_SIZE, "kept in one frame");

/* Is [start, +size) inside one of the node's register ranges, taken in whole pages? */
static bool node_has(int node, uint64_t start, uint64_t size)
{
	uint64_t at, n;

	for (unsigned i = 0; dt_reg(boot_info.fdt, node, i, &at, &n) == DT_OK; i++) {
		uint64_t end = ROUND_UP(at + n, (uint64_t)PAGE_SIZE);

		at &= PAGE_MASK;
		if (start >= at && start < end && size <= end - start)
			return true;
	}
	return false;
}

/* A number of `cells` at *p, which moves on. */
static uint64_t take(const char **p, uint32_t cells)
{
	uint64_t value = 0;

	for (; cells; cells--, *p += 4) {
		uint32_t be;

		memcpy(&be, *p, 4);
		value = value << 32 | __builtin_bswap32(be);
	}
	return value;
}

/* xen,reg: {host address, size, guest address} each. */
static bool read_registers(const void *dt, int node, int host, struct passthrough *p)
{
	uint32_t ac, sc, size;
	const char *at = dt_property(dt, node, "xen,reg", &size), *end = at + size;

	if (!at)
		return true;
	if (!dt_cells(dt, dt_parent(dt, node), &ac, &sc))
		return false;
	if (ac < 1 || ac > 2 || sc < 1 || sc > 2 || size % (4 * (2 * ac + sc)) != 0) {
		dt_complain(dt, node, "xen,reg", "has %u bytes, not address, size, address", size);
		return false;
	}
	while (at < end) {
		uint64_t from = take(&at, ac), n = take(&at, sc), to = take(&at, ac);

		if (!IS_ALIGNED(from | n | to, (uint64_t)PAGE_SIZE) || n == 0 || to + n < to) {
			dt_complain(dt, node, "xen,reg", "not whole pages");
			return false;
		}
		if (!node_has(host, from, n)) {
			dt_complain(dt, node, "xen,reg", "0x%llx bytes at 0x%llx are not %.60s's",
				    (unsigned long long)n, (unsigned long long)from,
				    dt_path(boot_info.fdt, host));
			return false;
		}
		if (p->nr_registers == MAX_REGISTERS) {
			dt_complain(dt, node, "xen,reg", "more than %u", MAX_REGISTERS);
			return false;
		}
		p->registers[p->nr_registers].host = from;
		p->registers[p->nr_registers].guest = to;
		p->registers[p->nr_registers++].size = n;
	}
	return true;
}

static bool read_lines(int host, struct passthrough *p)
{
	uint32_t intid;
	bool level;

	for (unsigned i = 0; dt_gic_interrupt(boot_info.fdt, host, i, &intid, &level) == DT_OK;
	     i++) {
		if (intid < GIC_PRIVATE)
			continue;
		if (p->nr_lines == MAX_LINES) {
			dt_complain(boot_info.fdt, host, "interrupts", "more than %u", MAX_LINES);
			return false;
		}
		p->line[p->nr_lines].intid = intid;
		p->line[p->nr_lines++].level = level;
	}
	return true;
}

static bool read_device(const void *dt, int node, const char *path, struct passthrough *p)
{
	int host = dt_by_path(boot_info.fdt, path);

	if (host < 0) {
		dt_complain(dt, node, "xen,path", "the host has no %.60s", path);
		return false;
	}
	if (!dt_has(boot_info.fdt, host, "xen,passthrough")) {
		dt_complain(dt, node, "xen,path", "%.60s is dom0's: it has no xen,passthrough",
			    path);
		return false;
	}
	if (!dt_has(dt, node, "xen,force-assign-without-iommu")) {
		dt_complain(dt, node, NULL,
			    "there is no IOMMU to hold it: needs "
			    "xen,force-assign-without-iommu");
		return false;
	}
	return read_registers(dt, node, host, p) && read_lines(host, p);
}

static bool read_fragment(const void *dt, struct passthrough *p)
{
	int node, depth, top = dt_by_path(dt, "/passthrough");
	const char *path;

	if (top < 0) {
		log_error("device tree fragment: no /passthrough");
		return false;
	}
	dt_for_each(dt, node, depth)
	{
		enum dt_found found = dt_string(dt, node, "xen,path", &path);

		if (found == DT_BAD || (found == DT_OK && !read_device(dt, node, path, p)))
			return false;
	}
	return true;
}

static const void *passthrough_fragment(const struct boot_domain *b)
{
	const struct boot_module *m = &boot_info.module[b->dtb];

	return (const char *)frame_va(paddr_to_mfn(m->start)) + (m->start.a & (PAGE_SIZE - 1));
}

int passthrough_read(struct boot_domain *b)
{
	size_t size;
	mfn_t m;

	if (b->dtb < 0 || b->passthrough)
		return 0;
	m = frame_alloc(0, ALLOC_ANY_NODE, 0);
	if (!mfn_valid(m))
		return -ENOMEM;
	if (!dt_check(passthrough_fragment(b), boot_info.module[b->dtb].size, &size) ||
	    !read_fragment(passthrough_fragment(b), frame_va(m))) {
		log_error("%s: unusable", boot_info.module[b->dtb].node);
		frame_free(m, 0);
		return -EINVAL;
	}
	b->passthrough = frame_va(m);
	return 0;
}

int passthrough_give(struct boot_domain *b, struct domain *d)
{
	const struct passthrough *p = b->passthrough;
	int err = 0;

	for (uint32_t i = 0; p && !err && i < p->nr_registers; i++) {
		uint64_t done = 0;

		do
			err = p2m_map_range(d, gfn(p->registers[i].guest >> PAGE_SHIFT),
					    mfn(p->registers[i].host >> PAGE_SHIFT),
					    p->registers[i].size >> PAGE_SHIFT, P2M_MMIO_DIRECT,
					    &done);
		while (err == -ERR_RESTART);
	}
	for (uint32_t i = 0; p && !err && i < p->nr_lines; i++)
		err = arch_irq_assign(p->line[i].intid, d, p->line[i].intid, p->line[i].level);
	return err;
}

static void copy_without_ours(struct dt_writer *w, const void *dt, int node, int depth)
{
	const char *name;
	const void *value;
	uint32_t size;
	int child;

	dtw_node(w, dt_name(dt, node));
	for (unsigned i = 0; (value = dt_property_at(dt, node, i, &name, &size)); i++) {
		if (strncmp(name, "xen,", 4) != 0)
			dtw_bytes(w, name, value, size);
	}
	if (depth < DT_MAX_DEPTH) {
		dt_for_each_child(dt, child, node) copy_without_ours(w, dt, child, depth + 1);
	}
	dtw_end(w);
}

void passthrough_nodes(struct dt_writer *w, const struct boot_domain *b)
{
	static const char *const tops[] = { "/passthrough", "/aliases" };

	for (size_t i = 0; b->passthrough && i < ARRAY_SIZE(tops); i++) {
		int node = dt_by_path(passthrough_fragment(b), tops[i]);

		if (node >= 0)
			copy_without_ours(w, passthrough_fragment(b), node, 1);
	}
}

uint32_t passthrough_gic_phandle(const struct boot_domain *b, uint32_t standard)
{
	int node = b->passthrough ? dt_by_path(passthrough_fragment(b), "/gic") : DT_NO_NODE;
	uint32_t phandle;

	return node >= 0 && dt_u32(passthrough_fragment(b), node, "phandle", &phandle) == DT_OK
		   ? phandle
		   : standard;
}
