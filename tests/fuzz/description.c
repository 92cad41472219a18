/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device trees and the description of what to boot. An even first byte: the rest is a tree as it
 * stands in memory. An odd one: the rest says how to write a tree, which then is sound, and whose contents
 * are anything. Whatever comes out of it holds together, because the builder relies on it.
 */
#include <hv/boot.h>
#include <hv/fdt.h>
#include <sim/sim.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t *p, *end;

static uint8_t u8(void)
{
	return p < end ? *p++ : 0;
}

static uint64_t raw(unsigned bytes)
{
	uint64_t n = 0;

	while (bytes--)
		n = n << 8 | u8();
	return n;
}

/* ---- a tree written from the input -------------------------------------------------------------- */

static const char *const node_names[] = {
	"chosen",
	"module@70000000",
	"module@70100000",
	"domU1",
	"domU2",
	"memory@40000000",
	"memory@80000000",
	"reserved-memory",
	"cpus",
	"cpu@0",
	"cpu@1",
	"intc@8000000",
	"pl011@9000000",
	"soc",
	"timer",
	"aliases",
	"hypervisor",
	"psci",
	"buffer@48000000",
};
static const char *const property_names[] = {
	"compatible",
	"reg",
	"#address-cells",
	"#size-cells",
	"bootargs",
	"memory",
	"cpus",
	"vpl011",
	"xen,enhanced",
	"xen,static-mem",
	"direct-map",
	"xen,xen-bootargs",
	"xen,dom0-bootargs",
	"stdout-path",
	"device_type",
	"status",
	"ranges",
	"interrupts",
	"interrupt-parent",
	"interrupts-extended",
	"phandle",
	"interrupt-controller",
	"#interrupt-cells",
	"no-map",
	"serial0",
	"xen,domain-p2m-mem-mb",
	"max_grant_frames",
	"xen,grant-table",
	"nr_spis",
	"linux,initrd-start",
	"linux,initrd-end",
};
static const char *const strings[] = {
	"xen,domain",
	"multiboot,kernel\0multiboot,module",
	"multiboot,ramdisk\0multiboot,module",
	"multiboot,device-tree\0multiboot,module",
	"multiboot,module",
	"memory",
	"cpu",
	"okay",
	"disabled",
	"enabled",
	"no-xenstore",
	"arm,gic-v3",
	"arm,pl011",
	"arm,cortex-a57",
	"/pl011@9000000",
	"serial0:115200",
	"simple-bus",
	"",
	"a",
};
#define PICK(list) list[u8() % ARRAY_SIZE(list)]

static void write_property(struct dt_writer *w)
{
	const char *name = PICK(property_names);
	uint8_t kind = u8();

	switch (kind % 8) {
	case 0:
	case 1: {
		const char *s = PICK(strings);
		size_t n = strlen(s) + 1;

		if (n < 32 && !strncmp(s, "multiboot,", 10) && strcmp(s, "multiboot,module"))
			n += strlen("multiboot,module") + 1;
		dtw_bytes(w, name, s, n);
		break;
	}
	case 2: dtw_u32(w, name, u8()); break;
	case 3: dtw_u64(w, name, raw(kind / 32)); break;
	case 4: /* a place and a size */
		dtw_ranges(
		    w, name,
		    (const uint64_t[]){ 0x40000000ull + (raw(2) << 16), (uint64_t)u8() << 16 }, 1);
		break;
	case 5: dtw_flag(w, name); break;
	case 6: dtw_u32(w, name, (uint32_t)raw(4)); break;
	default: {
		uint8_t bytes[24];
		size_t n = u8() % sizeof(bytes);

		for (size_t i = 0; i < n; i++)
			bytes[i] = u8();
		dtw_bytes(w, name, bytes, n);
	}
	}
}

static size_t write_tree(void *buf, size_t space)
{
	struct dt_writer w;
	unsigned depth = 1;
	bool child = false;
	size_t size;

	dtw_begin(&w, buf, space);
	dtw_node(&w, "");
	dtw_u32(&w, "#address-cells", 2);
	dtw_u32(&w, "#size-cells", 2);
	while (p < end && depth) {
		uint8_t what = u8();

		if (what < 64 && depth < 12) {
			dtw_node(&w, PICK(node_names));
			depth++;
			child = false;
		} else if (what < 100 && depth > 1) {
			dtw_end(&w);
			depth--;
			child = true;
		} else if (!child) {
			write_property(&w);
		}
	}
	while (depth--)
		dtw_end(&w);
	return dtw_finish(&w, "fuzz", &size) ? size : 0;
}

/* ---- what must hold ----------------------------------------------------------------------------- */

static void check_result(const struct boot_info *b)
{
	domid_t last = 0;

	sim_check(b->nr_memory <= BOOT_MAX_REGIONS && b->nr_reserved <= BOOT_MAX_REGIONS);
	sim_check(b->nr_modules <= BOOT_MAX_MODULES && b->nr_domains <= BOOT_MAX_DOMAINS);
	for (uint32_t i = 0; i < b->nr_memory; i++) {
		sim_check(b->memory[i].start.a < b->memory[i].end.a);
		sim_check(i == 0 || b->memory[i - 1].end.a < b->memory[i].start.a);
	}
	for (uint32_t i = 0; i < b->nr_modules; i++) {
		const struct boot_module *m = &b->module[i];

		sim_check(m->start.a + m->size >= m->start.a);
		sim_check(strlen(m->node) < 4096 && strlen(m->cmdline) <= DT_MAX_SIZE);
	}
	for (uint32_t i = 0; i < b->nr_domains; i++) {
		const struct boot_domain *d = &b->domain[i];

		sim_check(strlen(d->name) < 4096 && strlen(d->path) < 4096);
		if (d->skip)
			continue;
		sim_check(d->is_dom0 ? i == 0 : d->id > last);
		last = d->id;
		sim_check(d->kernel >= 0 && d->kernel < (int)b->nr_modules);
		sim_check(d->ramdisk < (int)b->nr_modules && d->dtb < (int)b->nr_modules);
		sim_check(b->module[d->kernel].size > 0);
		sim_check(d->nr_static <= BOOT_MAX_STATIC);
		sim_check(strlen(d->bootargs) <= DT_MAX_SIZE);
	}
}

/* Every question about the first nodes: answered or refused. */
static void ask_everything(const void *dt)
{
	const char *opts;
	int node, depth, left = 100;

	(void)dt_stdout(dt, &opts);
	for (node = dt_next_cpu(dt, DT_ROOT); node >= 0; node = dt_next_cpu(dt, node))
		;
	dt_for_each(dt, node, depth)
	{
		struct dt_interrupt irq;
		uint64_t addr, size;
		uint32_t cell, n;
		const char *name;
		bool level;

		if (left-- == 0)
			break;
		(void)!dt_reg(dt, node, 0, &addr, &size);
		(void)!dt_reg(dt, node, 1, &addr, &size);
		(void)!dt_interrupt(dt, node, 0, &irq);
		(void)!dt_gic_interrupt(dt, node, 1, &cell, &level);
		(void)!dt_string_at(dt, node, "compatible", 2, &name);
		(void)dt_path(dt, node);
		(void)dt_parent(dt, node);
		for (unsigned i = 0; dt_property_at(dt, node, i, &name, &n); i++)
			sim_check(n <= DT_MAX_SIZE && strlen(name) <= DT_MAX_SIZE);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct sim_config cfg = { .memory = 4 << 20, .quiet = true, .bare = true };
	static uint64_t space[8192];
	static struct boot_info info;
	void *tree = space;
	bool written;
	size_t n;

	if (size < 2)
		return -1;
	sim_boot_config_bare(&cfg);
	p = data;
	end = data + size;
	written = u8() & 1;
	n = written ? write_tree(space, sizeof(space)) : (size_t)(end - p);
	if (n) {
		/* In a piece of memory of just its size, so that reading past its end is seen. */
		tree = malloc(n);
		memcpy(tree, written ? (const void *)space : p, n);
		memset(&info, 0, sizeof(info));
		if (dt_check(tree, n, &n)) {
			if (boot_read_description(&info, tree, n) == 0)
				check_result(&info);
			ask_everything(tree);
		} else if (written) {
			sim_fail("a tree that was just written is not sound");
		}
		free(tree);
	}
	sim_abandon();
	return 0;
}
