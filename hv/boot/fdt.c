/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading flattened device trees (hv/fdt.h): with fdt_write.c the only one that calls libfdt. Used on one CPU while booting;
 * the library is compiled for user space (vector registers, stack protector: boot/libc.c).
 * dt_check() runs once over a tree from outside; afterwards the library's walks are bounded by the
 * tree's size, and what follows phandles here is bounded by DT_MAX_DEPTH.
 */
#include <hv/fdt.h>
#include <hv/err.h>
#include <hv/log.h>
#include <hv/string.h>
#include <libfdt.h>

/*
 * Finding a parent or a phandle walks the whole tree, so the answers that walks from parent to child
 * gave on the way are kept; so is the last phandle.
 */
#define REMEMBERED 16u

static struct {
	const void *dt; /* whose; NULL: nobody's */
	unsigned next;
	struct {
		int node, parent;
	} parents[REMEMBERED];
	uint32_t phandle;
	int phandle_node;
} memory;

static BOOT_TEXT void remember_nothing(const void *dt)
{
	memory.dt = dt;
	memory.phandle = 0;
	for (unsigned i = 0; i < REMEMBERED; i++)
		memory.parents[i].node = DT_NO_NODE;
}

static BOOT_TEXT int remembered_parent(const void *dt, int node)
{
	for (unsigned i = 0; memory.dt == dt && i < REMEMBERED; i++) {
		if (memory.parents[i].node == node)
			return memory.parents[i].parent;
	}
	return DT_NO_NODE;
}

static BOOT_TEXT void remember_parent(const void *dt, int node, int parent)
{
	if (node < 0 || parent < 0 || remembered_parent(dt, node) == parent)
		return;
	if (memory.dt != dt)
		remember_nothing(dt);
	memory.parents[memory.next].node = node;
	memory.parents[memory.next].parent = parent;
	memory.next = (memory.next + 1) % REMEMBERED;
}

/* ---- judging and finding -------------------------------------------------------------------- */

static BOOT_TEXT bool dt_shallow(const void *dt)
{
	int depth = 0;

	for (int n = fdt_next_node(dt, -1, NULL); n >= 0 && depth >= 0;
	     n = fdt_next_node(dt, n, &depth)) {
		if (depth >= DT_MAX_DEPTH)
			return false;
	}
	return true;
}

BOOT_TEXT bool dt_check(const void *dt, size_t space, size_t *size)
{
	int err;

	remember_nothing(NULL);
	if (space < sizeof(struct fdt_header) || ((uintptr_t)dt & 7) != 0) {
		log_error("device tree: no aligned header at %p (%zu bytes)", dt, space);
		return false;
	}
	if (fdt_magic(dt) != FDT_MAGIC) {
		log_error("device tree: no device tree at %p: magic number 0x%08x", dt,
			  fdt_magic(dt));
		return false;
	}
	if (fdt_totalsize(dt) > MIN(space, (size_t)DT_MAX_SIZE)) {
		log_error("device tree: says it has %u bytes, at most %zu are there",
			  fdt_totalsize(dt), MIN(space, (size_t)DT_MAX_SIZE));
		return false;
	}
	err = fdt_check_full(dt, fdt_totalsize(dt));
	if (err) {
		log_error("device tree: damaged: %s", fdt_strerror(err));
		return false;
	}
	if (!dt_shallow(dt)) {
		log_error("device tree: nodes more than %d deep", DT_MAX_DEPTH);
		return false;
	}
	*size = fdt_totalsize(dt);
	return true;
}

BOOT_TEXT int dt_next(const void *dt, int node, int *depth)
{
	return fdt_next_node(dt, node, depth);
}

BOOT_TEXT int dt_first_child(const void *dt, int node)
{
	int child = node < 0 ? DT_NO_NODE : fdt_first_subnode(dt, node);

	remember_parent(dt, child, node);
	return child;
}

BOOT_TEXT int dt_next_sibling(const void *dt, int node)
{
	int next = fdt_next_subnode(dt, node);

	remember_parent(dt, next, remembered_parent(dt, node));
	return next;
}

BOOT_TEXT int dt_parent(const void *dt, int node)
{
	int parent = remembered_parent(dt, node);

	if (parent < 0) {
		parent = fdt_parent_offset(dt, node);
		remember_parent(dt, node, parent);
	}
	return parent;
}

BOOT_TEXT int dt_by_path(const void *dt, const char *path)
{
	const char *end = strchr(path, ':');
	size_t n = end ? (size_t)(end - path) : strlen(path);

	return n ? fdt_path_offset_namelen(dt, path, (int)n) : DT_NO_NODE;
}

BOOT_TEXT int dt_by_phandle(const void *dt, uint32_t phandle)
{
	if (memory.dt != dt)
		remember_nothing(dt);
	if (memory.phandle != phandle || !phandle) {
		memory.phandle_node = fdt_node_offset_by_phandle(dt, phandle);
		memory.phandle = phandle;
	}
	return memory.phandle_node;
}

BOOT_TEXT int dt_by_compatible(const void *dt, int after, const char *what)
{
	return fdt_node_offset_by_compatible(dt, after, what);
}

BOOT_TEXT bool dt_is_compatible(const void *dt, int node, const char *what)
{
	return fdt_node_check_compatible(dt, node, what) == 0;
}

BOOT_TEXT bool dt_enabled(const void *dt, int node)
{
	uint32_t size;
	const char *s = dt_property(dt, node, "status", &size);

	return !s || (size == 5 && memcmp(s, "okay", 5) == 0) ||
	       (size == 3 && memcmp(s, "ok", 3) == 0);
}

BOOT_TEXT const char *dt_name(const void *dt, int node)
{
	const char *name = fdt_get_name(dt, node, NULL);

	return name ? name : "?";
}

BOOT_TEXT const char *dt_path(const void *dt, int node)
{
	static char text[2][256];
	static unsigned turn;
	char *buf = text[turn ^= 1];

	if (fdt_get_path(dt, node, buf, sizeof(text[0])) != 0)
		(void)strcopy(buf, dt_name(dt, node), sizeof(text[0]));
	return buf;
}

BOOT_TEXT void dt_complain(const void *dt, int node, const char *prop, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprint(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s: %s%s%s", dt_path(dt, node), prop ? prop : "", prop ? ": " : "", text);
}

/* ---- properties ----------------------------------------------------------------------------- */

static BOOT_TEXT uint32_t be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

BOOT_TEXT const void *dt_property(const void *dt, int node, const char *name, uint32_t *size)
{
	int len;
	const void *value = fdt_getprop(dt, node, name, &len);

	*size = value ? (uint32_t)len : 0;
	return value;
}

BOOT_TEXT bool dt_has(const void *dt, int node, const char *name)
{
	uint32_t size;

	return dt_property(dt, node, name, &size) != NULL;
}

BOOT_TEXT const void *dt_property_at(const void *dt, int node, unsigned i, const char **name,
				     uint32_t *size)
{
	int at = fdt_first_property_offset(dt, node);
	const void *value;
	int len;

	while (at >= 0 && i--)
		at = fdt_next_property_offset(dt, at);
	if (at < 0)
		return NULL;
	value = fdt_getprop_by_offset(dt, at, name, &len);
	*size = value ? (uint32_t)len : 0;
	return value;
}

BOOT_TEXT enum dt_found dt_u32(const void *dt, int node, const char *name, uint32_t *value)
{
	uint32_t size;
	const void *p = dt_property(dt, node, name, &size);

	if (!p)
		return DT_ABSENT;
	if (size != 4) {
		dt_complain(dt, node, name, "has %u bytes, must have 4", size);
		return DT_BAD;
	}
	*value = be32(p);
	return DT_OK;
}

BOOT_TEXT enum dt_found dt_u64(const void *dt, int node, const char *name, uint64_t *value)
{
	uint32_t size;
	const char *p = dt_property(dt, node, name, &size);

	if (!p)
		return DT_ABSENT;
	if (size == 4) {
		*value = be32(p);
		return DT_OK;
	}
	if (size != 8) {
		dt_complain(dt, node, name, "has %u bytes, must have 8", size);
		return DT_BAD;
	}
	*value = (uint64_t)be32(p) << 32 | be32(p + 4);
	return DT_OK;
}

BOOT_TEXT enum dt_found dt_string(const void *dt, int node, const char *name, const char **value)
{
	uint32_t size;
	const char *p = dt_property(dt, node, name, &size);

	if (!p)
		return DT_ABSENT;
	if (size == 0 || strnlen(p, size) != size - 1) {
		dt_complain(dt, node, name, "is not one string");
		return DT_BAD;
	}
	*value = p;
	return DT_OK;
}

BOOT_TEXT enum dt_found dt_string_at(const void *dt, int node, const char *name, unsigned index,
				     const char **value)
{
	uint32_t size;
	const char *p = dt_property(dt, node, name, &size);

	if (!p)
		return DT_ABSENT;
	if (size == 0 || p[size - 1] != '\0') {
		dt_complain(dt, node, name, "is not a list of strings");
		return DT_BAD;
	}
	for (uint32_t at = 0; at < size; at += (uint32_t)strlen(p + at) + 1) {
		if (index-- == 0) {
			*value = p + at;
			return DT_OK;
		}
	}
	return DT_ABSENT;
}

BOOT_TEXT enum dt_found dt_cell(const void *dt, int node, const char *name, unsigned index,
				uint32_t *value)
{
	uint32_t size;
	const char *p = dt_property(dt, node, name, &size);

	if (!p)
		return DT_ABSENT;
	if (size % 4 != 0) {
		dt_complain(dt, node, name, "has %u bytes, not whole cells", size);
		return DT_BAD;
	}
	if (index >= size / 4)
		return DT_ABSENT;
	*value = be32(p + 4 * (size_t)index);
	return DT_OK;
}

/* A number of 0, 1 or 2 cells. */
static BOOT_TEXT uint64_t number(const char *p, uint32_t cells)
{
	if (cells == 2)
		return (uint64_t)be32(p) << 32 | be32(p + 4);
	return cells == 1 ? be32(p) : 0;
}

BOOT_TEXT enum dt_found dt_range(const void *dt, int node, const char *name, uint32_t ac,
				 uint32_t sc, unsigned index, uint64_t *addr, uint64_t *size)
{
	uint32_t entry = 4 * (ac + sc), len;
	const char *p = dt_property(dt, node, name, &len);

	if (!p)
		return DT_ABSENT;
	if (ac < 1 || ac > 2 || sc > 2) {
		dt_complain(dt, node, name, "addresses of %u and sizes of %u cells", ac, sc);
		return DT_BAD;
	}
	if (len == 0 || len % entry != 0) {
		dt_complain(dt, node, name, "has %u bytes, not entries of %u", len, entry);
		return DT_BAD;
	}
	if (index >= len / entry)
		return DT_ABSENT;
	p += (size_t)index * entry;
	*addr = number(p, ac);
	*size = number(p + 4 * ac, sc);
	if (*size && *addr + *size - 1 < *addr) {
		dt_complain(dt, node, name, "0x%llx bytes at 0x%llx wrap around",
			    (unsigned long long)*size, (unsigned long long)*addr);
		return DT_BAD;
	}
	return DT_OK;
}

BOOT_TEXT bool dt_cells(const void *dt, int node, uint32_t *ac, uint32_t *sc)
{
	*ac = 2;
	*sc = 1;
	if (dt_u32(dt, node, "#address-cells", ac) == DT_BAD ||
	    dt_u32(dt, node, "#size-cells", sc) == DT_BAD)
		return false;
	if (*ac > 4 || *sc > 4) {
		dt_complain(dt, node, NULL, "%u address and %u size cells", *ac, *sc);
		return false;
	}
	return true;
}

BOOT_TEXT enum dt_found dt_reg_raw(const void *dt, int node, unsigned index, uint64_t *addr,
				   uint64_t *size)
{
	uint32_t ac, sc;
	int parent = dt_parent(dt, node);

	if (parent < 0 || !dt_has(dt, node, "reg"))
		return DT_ABSENT;
	if (!dt_cells(dt, parent, &ac, &sc))
		return DT_BAD;
	return dt_range(dt, node, "reg", ac, sc, index, addr, size);
}

/* One bus up: *addr as `bus` numbers its children becomes *addr as its parent does. */
static BOOT_TEXT enum dt_found through_bus(const void *dt, int bus, uint64_t *addr, uint64_t size)
{
	uint32_t ac, sc, pac, psc, len, entry;
	int parent = dt_parent(dt, bus);
	const char *p = dt_property(dt, bus, "ranges", &len);

	if (!p || parent < 0)
		return DT_ABSENT;
	if (len == 0)
		return DT_OK;
	if (!dt_cells(dt, bus, &ac, &sc) || !dt_cells(dt, parent, &pac, &psc))
		return DT_BAD;
	if (ac < 1 || ac > 2 || pac < 1 || pac > 2 || sc < 1 || sc > 2)
		return DT_ABSENT;
	entry = 4 * (ac + pac + sc);
	if (len % entry != 0) {
		dt_complain(dt, bus, "ranges", "has %u bytes, not entries of %u", len, entry);
		return DT_BAD;
	}
	for (const char *end = p + len; p < end; p += entry) {
		uint64_t from = number(p, ac), to = number(p + 4 * ac, pac);
		uint64_t n = number(p + 4 * (ac + pac), sc);

		if (*addr >= from && *addr - from <= n && size <= n - (*addr - from) &&
		    to + n >= to) {
			*addr = *addr - from + to;
			return DT_OK;
		}
	}
	return DT_ABSENT;
}

BOOT_TEXT enum dt_found dt_reg(const void *dt, int node, unsigned index, uint64_t *addr,
			       uint64_t *size)
{
	int bus = dt_parent(dt, node);
	enum dt_found found;
	uint32_t ac, sc;

	if (bus < 0 || !dt_has(dt, node, "reg"))
		return DT_ABSENT;
	if (!dt_cells(dt, bus, &ac, &sc))
		return DT_BAD;
	if (ac < 1 || ac > 2 || sc < 1 || sc > 2)
		return DT_ABSENT;
	found = dt_range(dt, node, "reg", ac, sc, index, addr, size);
	for (int depth = 0; found == DT_OK && bus > DT_ROOT && depth < DT_MAX_DEPTH; depth++) {
		found = through_bus(dt, bus, addr, *size);
		bus = dt_parent(dt, bus);
	}
	return found;
}

/* ---- interrupts ----------------------------------------------------------------------------- */

static BOOT_TEXT int interrupt_parent(const void *dt, int node)
{
	uint32_t phandle;

	for (int depth = 0; node >= 0 && depth < DT_MAX_DEPTH; depth++) {
		enum dt_found found = dt_u32(dt, node, "interrupt-parent", &phandle);

		if (found == DT_OK)
			return dt_by_phandle(dt, phandle);
		if (found == DT_BAD)
			return DT_NO_NODE;
		node = dt_parent(dt, node);
	}
	return DT_NO_NODE;
}

static BOOT_TEXT bool interrupt_cells(const void *dt, int node, const char *prop, int controller,
				      uint32_t *nr)
{
	if (controller < 0 || dt_u32(dt, controller, "#interrupt-cells", nr) != DT_OK || *nr < 1 ||
	    *nr > 4) {
		dt_complain(dt, node, prop, "names no usable interrupt controller");
		return false;
	}
	return true;
}

/* Fill out->cell from `p`, out->nr cells. */
static BOOT_TEXT void take_cells(struct dt_interrupt *out, const char *p)
{
	for (uint32_t i = 0; i < out->nr; i++)
		out->cell[i] = be32(p + 4 * (size_t)i);
}

static BOOT_TEXT enum dt_found extended_interrupt(const void *dt, int node, const char *p,
						  uint32_t size, unsigned index,
						  struct dt_interrupt *out)
{
	const char *prop = "interrupts-extended";

	while (size >= 4) {
		out->controller = dt_by_phandle(dt, be32(p));
		if (!interrupt_cells(dt, node, prop, out->controller, &out->nr))
			return DT_BAD;
		if (size < 4 * (1 + out->nr))
			break;
		if (index-- == 0) {
			take_cells(out, p + 4);
			return DT_OK;
		}
		p += 4 * (1 + (size_t)out->nr);
		size -= 4 * (1 + out->nr);
	}
	if (size == 0)
		return DT_ABSENT;
	dt_complain(dt, node, prop, "ends in the middle of an entry");
	return DT_BAD;
}

BOOT_TEXT enum dt_found dt_interrupt(const void *dt, int node, unsigned index,
				     struct dt_interrupt *out)
{
	uint32_t size;
	const char *p = dt_property(dt, node, "interrupts-extended", &size);

	if (p)
		return extended_interrupt(dt, node, p, size, index, out);
	p = dt_property(dt, node, "interrupts", &size);
	if (!p)
		return DT_ABSENT;
	out->controller = interrupt_parent(dt, node);
	if (!interrupt_cells(dt, node, "interrupts", out->controller, &out->nr))
		return DT_BAD;
	if (size % (4 * out->nr) != 0) {
		dt_complain(dt, node, "interrupts", "has %u bytes, not entries of %u", size,
			    4 * out->nr);
		return DT_BAD;
	}
	if (index >= size / (4 * out->nr))
		return DT_ABSENT;
	take_cells(out, p + (size_t)index * 4 * out->nr);
	return DT_OK;
}

static BOOT_TEXT bool is_gic(const void *dt, int node)
{
	static const char *const gic[] = { "arm,gic-v3", "arm,gic-400", "arm,cortex-a15-gic",
					   "arm,cortex-a7-gic", "arm,cortex-a9-gic" };

	for (size_t i = 0; i < ARRAY_SIZE(gic); i++) {
		if (dt_is_compatible(dt, node, gic[i]))
			return true;
	}
	return false;
}

BOOT_TEXT enum dt_found dt_gic_interrupt(const void *dt, int node, unsigned index, uint32_t *intid,
					 bool *level)
{
	/* GIC binding: SPI, PPI, extended SPI, extended PPI. */
	static const uint32_t first[4] = { 32, 16, 4096, 1056 };
	static const uint32_t count[4] = { 988, 16, 1024, 64 };
	struct dt_interrupt irq;
	enum dt_found found = dt_interrupt(dt, node, index, &irq);

	if (found != DT_OK)
		return found;
	if (!is_gic(dt, irq.controller))
		return DT_ABSENT;
	if (irq.nr < 3 || irq.cell[0] > 3 || irq.cell[1] >= count[irq.cell[0]]) {
		dt_complain(dt, node, "interrupts", "entry %u is no GIC interrupt", index);
		return DT_BAD;
	}
	*intid = first[irq.cell[0]] + irq.cell[1];
	*level = (irq.cell[2] & 0xc) != 0;
	return DT_OK;
}

/* ---- the well-known places ------------------------------------------------------------------ */

/* Insert in order of address, joining what touches. False: the table is full. */
static BOOT_TEXT bool region_add(struct boot_region *r, uint32_t *n, uint32_t max, uint64_t start,
				 uint64_t end)
{
	uint32_t i = 0, j;

	while (i < *n && r[i].end.a < start)
		i++;
	for (j = i; j < *n && r[j].start.a <= end; j++) {
		start = MIN(start, r[j].start.a);
		end = MAX(end, r[j].end.a);
	}
	if (j == i) {
		if (*n == max)
			return false;
		memmove(&r[i + 1], &r[i], (*n - i) * sizeof(*r));
		(*n)++;
	} else {
		memmove(&r[i + 1], &r[j], (*n - j) * sizeof(*r));
		*n -= j - i - 1;
	}
	r[i] = (struct boot_region){ .start = paddr(start), .end = paddr(end) };
	return true;
}

static BOOT_TEXT void regions_of(const void *dt, int node, struct boot_region *r, uint32_t *n,
				 uint32_t max)
{
	uint64_t addr, size;

	for (unsigned i = 0; dt_reg_raw(dt, node, i, &addr, &size) == DT_OK; i++) {
		if (size == 0)
			continue;
		if (addr + size < addr || !region_add(r, n, max, addr, addr + size))
			dt_complain(dt, node, "reg",
				    "entry %u ignored: table of %u full, or at the "
				    "end of the address space",
				    i, max);
	}
}

BOOT_TEXT int dt_memory(const void *dt, struct boot_region *r, uint32_t max)
{
	uint32_t n = 0, size;
	int node;

	dt_for_each_child(dt, node, DT_ROOT)
	{
		const char *type = dt_property(dt, node, "device_type", &size);

		if (type && size == 7 && memcmp(type, "memory", 7) == 0 && dt_enabled(dt, node))
			regions_of(dt, node, r, &n, max);
	}
	return (int)n;
}

BOOT_TEXT int dt_reserved(const void *dt, struct boot_region *r, uint32_t max)
{
	uint32_t n = 0;
	uint64_t addr, size;
	int node, parent;

	for (int i = 0; i < fdt_num_mem_rsv(dt); i++) {
		if (fdt_get_mem_rsv(dt, i, &addr, &size) == 0 && size && addr + size > addr &&
		    !region_add(r, &n, max, addr, addr + size))
			log_error("device tree: /memreserve/ entry %d ignored: table of %u full", i,
				  max);
	}
	parent = dt_by_path(dt, "/reserved-memory");
	if (parent >= 0) {
		dt_for_each_child(dt, node, parent)
		{
			if (dt_enabled(dt, node))
				regions_of(dt, node, r, &n, max);
		}
	}
	return (int)n;
}

BOOT_TEXT int dt_stdout(const void *dt, const char **opts)
{
	int chosen = dt_by_path(dt, "/chosen");
	const char *path;

	*opts = "";
	if (chosen < 0 || (dt_string(dt, chosen, "stdout-path", &path) != DT_OK &&
			   dt_string(dt, chosen, "linux,stdout-path", &path) != DT_OK))
		return DT_NO_NODE;
	if (strchr(path, ':'))
		*opts = strchr(path, ':') + 1;
	return dt_by_path(dt, path);
}

/* Has dom0's kernel its command line in its own module? */
static BOOT_TEXT bool dom0_module_has_args(const void *dt, int chosen)
{
	int node;

	dt_for_each_child(dt, node, chosen)
	{
		if ((dt_is_compatible(dt, node, "multiboot,kernel") ||
		     dt_is_compatible(dt, node, "xen,linux-zimage")) &&
		    dt_has(dt, node, "bootargs"))
			return true;
	}
	return false;
}

BOOT_TEXT const char *dt_bootargs(const void *dt)
{
	int chosen = dt_by_path(dt, "/chosen");
	const char *args;

	if (chosen < 0)
		return "";
	if (dt_string(dt, chosen, "xen,xen-bootargs", &args) == DT_OK)
		return args;
	if (!dt_has(dt, chosen, "xen,dom0-bootargs") && !dom0_module_has_args(dt, chosen) &&
	    dt_by_compatible(dt, chosen, "xen,domain") < 0)
		return "";
	return dt_string(dt, chosen, "bootargs", &args) == DT_OK ? args : "";
}

BOOT_TEXT int dt_next_cpu(const void *dt, int after)
{
	int node = after > DT_ROOT ? dt_next_sibling(dt, after)
				   : dt_first_child(dt, dt_by_path(dt, "/cpus"));
	uint32_t size;

	for (; node >= 0; node = dt_next_sibling(dt, node)) {
		const char *type = dt_property(dt, node, "device_type", &size);

		if (type && size == 4 && memcmp(type, "cpu", 4) == 0 && dt_enabled(dt, node))
			return node;
	}
	return DT_NO_NODE;
}
