/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing flattened device trees. boot/fdt.c and boot/fdt_write.c are the only ones that call libfdt; only
 * while booting, on one CPU. A tree comes from outside: dt_check() judges its structure once and
 * completely, every getter judges the property it reads.
 *
 * Nodes are offsets; negative: none. A getter answers DT_OK, DT_ABSENT (no such property: often
 * fine), or DT_BAD after logging one line that names the node, the property and what is wrong.
 */
#ifndef HV_FDT_H
#define HV_FDT_H

#include <hv/boot.h>
#include <hv/compiler.h>

#define DT_MAX_SIZE  (2u << 20) /* bytes; the Arm boot protocol's limit */
#define DT_MAX_DEPTH 32
#define DT_ROOT      0
#define DT_NO_NODE   (-1)

enum dt_found { DT_BAD = -1, DT_ABSENT = 0, DT_OK = 1 };

/*
 * Is there a sound tree at `dt`, of at most `space` bytes? Its size goes to *size. Logs why not.
 * Nothing else here may be called on a tree that did not pass.
 */
MUST_USE bool dt_check(const void *dt, size_t space, size_t *size);

/* ---- finding nodes -------------------------------------------------------------------------- */

/* The node after `node` in the order of the text, with *depth (start: DT_ROOT, depth 0) kept up to date. */
int dt_next(const void *dt, int node, int *depth);
int dt_first_child(const void *dt, int node);
int dt_next_sibling(const void *dt, int node);
int dt_parent(const void *dt, int node);
#define dt_for_each_child(dt, child, node)                         \
	for ((child) = dt_first_child((dt), (node)); (child) >= 0; \
	     (child) = dt_next_sibling((dt), (child)))
/* All nodes below the root. */
#define dt_for_each(dt, node, depth)                                                             \
	for ((depth) = 0, (node) = dt_next((dt), DT_ROOT, &(depth)); (node) >= 0 && (depth) > 0; \
	     (node) = dt_next((dt), (node), &(depth)))

/* A full path, or an alias (the part up to ':' or the end: "serial0:115200", "/pl011@9000000"). */
int dt_by_path(const void *dt, const char *path);
int dt_by_phandle(const void *dt, uint32_t phandle);
/* The first node behind `after` (DT_ROOT: from the start) whose compatible list contains `what`. */
int dt_by_compatible(const void *dt, int after, const char *what);

bool dt_is_compatible(const void *dt, int node, const char *what);
/* status absent, "okay" or "ok". */
bool dt_enabled(const void *dt, int node);
const char *dt_name(const void *dt, int node);
/* For messages: in one of two static buffers that take turns. */
const char *dt_path(const void *dt, int node);
/* For messages: one error line "NODE: PROPERTY: text" (prop may be NULL). */
void dt_complain(const void *dt, int node, const char *prop, const char *fmt, ...) PRINTF(4, 5);

/* ---- properties ----------------------------------------------------------------------------- */

/* The raw value, or NULL when absent. */
const void *dt_property(const void *dt, int node, const char *name, uint32_t *size);
bool dt_has(const void *dt, int node, const char *name);
/* Properties in order: *name and *size of property `i` (0..), NULL when there are no more. */
const void *dt_property_at(const void *dt, int node, unsigned i, const char **name, uint32_t *size);

MUST_USE enum dt_found dt_u32(const void *dt, int node, const char *name, uint32_t *value);
/* Eight bytes; four are accepted too and widened. */
MUST_USE enum dt_found dt_u64(const void *dt, int node, const char *name, uint64_t *value);
/* A string: terminated within the property, no embedded rest. */
MUST_USE enum dt_found dt_string(const void *dt, int node, const char *name, const char **value);
/* The string list's `index`-th string; DT_ABSENT behind the last. */
MUST_USE enum dt_found dt_string_at(const void *dt, int node, const char *name, unsigned index,
				    const char **value);
/* Cell `index` of an array of cells. */
MUST_USE enum dt_found dt_cell(const void *dt, int node, const char *name, unsigned index,
			       uint32_t *value);

/*
 * Entry `index` of an array of {address of `ac` cells, size of `sc` cells}, each at most two cells. What
 * does not divide, or wraps around, is DT_BAD.
 */
MUST_USE enum dt_found dt_range(const void *dt, int node, const char *name, uint32_t ac,
				uint32_t sc, unsigned index, uint64_t *addr, uint64_t *size);
/* #address-cells and #size-cells of `node` for its children (defaults 2 and 1). False: absurd, logged. */
MUST_USE bool dt_cells(const void *dt, int node, uint32_t *ac, uint32_t *sc);
/* `reg` entry as written, with the parent's cells: CPUs, modules, memory. */
MUST_USE enum dt_found dt_reg_raw(const void *dt, int node, unsigned index, uint64_t *addr,
				  uint64_t *size);
/* `reg` entry as the CPUs see it: through the `ranges` of the buses above. DT_ABSENT when it is not memory-mapped. */
MUST_USE enum dt_found dt_reg(const void *dt, int node, unsigned index, uint64_t *addr,
			      uint64_t *size);

/* ---- interrupts ----------------------------------------------------------------------------- */

struct dt_interrupt {
	int controller; /* node */
	uint32_t nr;    /* cells */
	uint32_t cell[4];
};

/* Entry `index` of `interrupts` (by interrupt-parent of the node or above) or `interrupts-extended`. */
MUST_USE enum dt_found dt_interrupt(const void *dt, int node, unsigned index,
				    struct dt_interrupt *out);
/* The same for a GIC as controller: interrupt number (INTID) and trigger. DT_ABSENT: another controller. */
MUST_USE enum dt_found dt_gic_interrupt(const void *dt, int node, unsigned index, uint32_t *intid,
					bool *level);

/* ---- the well-known places ------------------------------------------------------------------ */

/* /memory nodes into `r`, sorted and joined; returns the number. What is bad is logged and left out. */
MUST_USE int dt_memory(const void *dt, struct boot_region *r, uint32_t max);
/* /memreserve/ entries and /reserved-memory children with a fixed place (no-map or not). */
MUST_USE int dt_reserved(const void *dt, struct boot_region *r, uint32_t max);
/* The console's node by /chosen/stdout-path, its options ("115200n8") or "" in *opts. */
int dt_stdout(const void *dt, const char **opts);
/* The hypervisor's command line: xen,xen-bootargs, or bootargs when dom0's are elsewhere; "" if none. */
const char *dt_bootargs(const void *dt);
/* The next CPU node behind `after` (DT_ROOT: the first) that is enabled. */
int dt_next_cpu(const void *dt, int after);

/* ---- writing -------------------------------------------------------------------------------- */

/*
 * A tree being written into a buffer. The first error sticks and is reported by dtw_finish(); what comes
 * after it does nothing. Properties of a node come before its children.
 */
struct dt_writer {
	void *buf;
	uint32_t size;
	int err;
};

void dtw_begin(struct dt_writer *w, void *buf, size_t size);
void dtw_node(struct dt_writer *w, const char *name);
void dtw_node_at(struct dt_writer *w, const char *name, uint64_t unit);
void dtw_end(struct dt_writer *w);
void dtw_bytes(struct dt_writer *w, const char *name, const void *value, size_t size);
void dtw_flag(struct dt_writer *w, const char *name);
void dtw_u32(struct dt_writer *w, const char *name, uint32_t value);
void dtw_u64(struct dt_writer *w, const char *name, uint64_t value);
void dtw_string(struct dt_writer *w, const char *name, const char *value);
/* Cells in host order. */
void dtw_cells(struct dt_writer *w, const char *name, const uint32_t *cells, size_t n);
#define dtw_array(w, name, ...)                                   \
	dtw_cells((w), (name), (const uint32_t[]){ __VA_ARGS__ }, \
		  ARRAY_SIZE(((const uint32_t[]){ __VA_ARGS__ })))
/* {address, size} pairs of two cells each. */
void dtw_ranges(struct dt_writer *w, const char *name, const uint64_t *pairs, size_t n);
/* A property, or a node with everything below it, as another tree has it. */
void dtw_copy_properties(struct dt_writer *w, const void *from, int node);
void dtw_copy_node(struct dt_writer *w, const void *from, int node);
/* The finished size in *size. False: it did not fit or was misused; logged with `what`. */
MUST_USE bool dtw_finish(struct dt_writer *w, const char *what, size_t *size);

#endif
