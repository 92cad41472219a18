/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to boot, as the device tree describes it: modules and domains below /chosen (the Arm multiboot
 * and dom0less bindings of Xen 4.17). A pure function of the tree and of the machine's memory. Each thing
 * that is wrong is one line that names the node; the domain it belongs to is skipped, the others
 * boot.
 */
#include <hv/boot.h>
#include <hv/err.h>
#include <hv/fdt.h>
#include <hv/log.h>
#include <hv/string.h>

/* More than a guest's interrupt controller has redistributors for (xen/arch-arm.h). */
#define MAX_DOMAIN_CPUS 128u
#define MAX_KERNEL_ARGS 2048u

/* Paths of nodes outlive the walk. */
static char path_text[8192];
static size_t path_used;

static BOOT_TEXT const char *keep_path(const void *dt, int node)
{
	const char *path = dt_path(dt, node);
	size_t n = strlen(path) + 1;
	char *kept = path_text + path_used;

	if (n > sizeof(path_text) - path_used)
		return dt_name(dt, node);
	memcpy(kept, path, n);
	path_used += n;
	return kept;
}

/* ---- places in memory ------------------------------------------------------------------------- */

static BOOT_TEXT bool inside_memory(const struct boot_info *b, uint64_t start, uint64_t size)
{
	for (uint32_t i = 0; i < b->nr_memory; i++) {
		if (start >= b->memory[i].start.a && start < b->memory[i].end.a &&
		    size <= b->memory[i].end.a - start)
			return true;
	}
	return false;
}

static BOOT_TEXT bool overlap(uint64_t a, uint64_t an, uint64_t b, uint64_t bn)
{
	return a < b + bn && b < a + an;
}

static BOOT_TEXT const struct boot_module *module_at(const struct boot_info *b, uint64_t start,
						     uint64_t size)
{
	for (uint32_t i = 0; i < b->nr_modules; i++) {
		if (overlap(start, size, b->module[i].start.a, b->module[i].size))
			return &b->module[i];
	}
	return NULL;
}

/* The domain whose static memory [start, +size) meets. */
static BOOT_TEXT const struct boot_domain *static_at(const struct boot_info *b, uint64_t start,
						     uint64_t size)
{
	for (uint32_t i = 0; i < b->nr_domains; i++) {
		const struct boot_domain *d = &b->domain[i];

		for (uint32_t j = 0; j < d->nr_static; j++) {
			if (overlap(start, size, d->static_mem[j].start.a, d->static_mem[j].size))
				return d;
		}
	}
	return NULL;
}

static BOOT_TEXT uint64_t memory_total(const struct boot_info *b)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < b->nr_memory; i++)
		total += b->memory[i].end.a - b->memory[i].start.a;
	return total;
}

/* ---- modules ------------------------------------------------------------------------------------ */

static BOOT_TEXT bool is_module(const void *dt, int node)
{
	return dt_is_compatible(dt, node, "multiboot,module") ||
	       dt_is_compatible(dt, node, "xen,multiboot-module");
}

static BOOT_TEXT enum module_kind module_kind(const void *dt, int node)
{
	static const struct {
		const char *compatible;
		enum module_kind kind;
	} kinds[] = {
		{ "multiboot,kernel", MODULE_KERNEL },   { "xen,linux-zimage", MODULE_KERNEL },
		{ "multiboot,ramdisk", MODULE_RAMDISK }, { "xen,linux-initrd", MODULE_RAMDISK },
		{ "multiboot,device-tree", MODULE_DTB }, { "xen,xsm-policy", MODULE_POLICY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (dt_is_compatible(dt, node, kinds[i].compatible))
			return kinds[i].kind;
	}
	return MODULE_UNKNOWN;
}

/* The slot of a domain for modules of a kind. */
static BOOT_TEXT int *module_slot(struct boot_domain *d, enum module_kind kind)
{
	switch (kind) {
	case MODULE_KERNEL: return &d->kernel;
	case MODULE_RAMDISK: return &d->ramdisk;
	case MODULE_DTB: return &d->dtb;
	default: return NULL;
	}
}

/*
 * Where a module lies: its `reg`, or what the boot loader loaded as its `module-index`-th, whose command line then
 * is the default.
 */
static BOOT_TEXT bool module_place(const struct boot_info *b, const void *dt, int node,
				   struct boot_module *m)
{
	uint64_t start, size;
	uint32_t index;

	switch (dt_u32(dt, node, "module-index", &index)) {
	case DT_BAD: return false;
	case DT_OK:
		if (index >= b->nr_loaded) {
			dt_complain(dt, node, "module-index", "%u: the boot loader loaded %u",
				    index, b->nr_loaded);
			return false;
		}
		m->start = b->loaded[index].start;
		m->size = b->loaded[index].size;
		m->cmdline = b->loaded[index].cmdline;
		return true;
	case DT_ABSENT: break;
	}
	switch (dt_reg_raw(dt, node, 0, &start, &size)) {
	case DT_BAD: return false;
	case DT_ABSENT: dt_complain(dt, node, "reg", "missing: where is the module?"); return false;
	case DT_OK: break;
	}
	m->start = paddr(start);
	m->size = size;
	return true;
}

/* Read one module. False: it is unusable (logged). */
static BOOT_TEXT bool read_module(struct boot_info *b, const void *dt, int node,
				  struct boot_module *m)
{
	const struct boot_module *other;
	uint64_t start, size;

	m->cmdline = "";
	if (!module_place(b, dt, node, m))
		return false;
	start = m->start.a;
	size = m->size;
	if (dt_string(dt, node, "bootargs", &m->cmdline) == DT_BAD)
		return false;
	if (size == 0) {
		dt_complain(dt, node, "reg", "an empty module");
		return false;
	}
	if (strnlen(m->cmdline, MAX_KERNEL_ARGS) == MAX_KERNEL_ARGS) {
		dt_complain(dt, node, "bootargs", "longer than %u bytes", MAX_KERNEL_ARGS - 1);
		return false;
	}
	if (!inside_memory(b, start, size)) {
		dt_complain(dt, node, "reg", "0x%llx bytes at 0x%llx are not inside memory",
			    (unsigned long long)size, (unsigned long long)start);
		return false;
	}
	other = module_at(b, start, size);
	if (other) {
		dt_complain(dt, node, "reg", "overlaps %.60s", other->node);
		return false;
	}
	return true;
}

/* Take the module at `node` for domain `index`. What is wrong with it is wrong with the domain. */
static BOOT_TEXT void add_module(struct boot_info *b, const void *dt, int node, uint32_t index)
{
	struct boot_domain *d = &b->domain[index];
	struct boot_module m = { .kind = module_kind(dt, node), .domain = (uint16_t)index };
	int *slot;

	if (m.kind == MODULE_UNKNOWN) /* unnamed kinds: first the kernel, then the ramdisk */
		m.kind = d->kernel < 0    ? MODULE_KERNEL
			 : d->ramdisk < 0 ? MODULE_RAMDISK
					  : MODULE_UNKNOWN;
	slot = module_slot(d, m.kind);
	if (!slot) {
		log_warning("%s: no use for this module, ignored", dt_path(dt, node));
		return;
	}
	if (*slot >= 0) {
		dt_complain(dt, node, NULL, "a second module of this kind, beside %.60s",
			    b->module[*slot].node);
		d->skip = true;
		return;
	}
	if (b->nr_modules == BOOT_MAX_MODULES) {
		dt_complain(dt, node, NULL, "more than %u modules", BOOT_MAX_MODULES);
		d->skip = true;
		return;
	}
	m.node = keep_path(dt, node);
	if (!read_module(b, dt, node, &m)) {
		d->skip = true;
		return;
	}
	*slot = (int)b->nr_modules;
	b->module[b->nr_modules++] = m;
}

/* ---- domains ------------------------------------------------------------------------------------ */

static BOOT_TEXT struct boot_domain *new_domain(struct boot_info *b, const void *dt, int node,
						domid_t id)
{
	struct boot_domain *d = &b->domain[b->nr_domains++];

	*d = (struct boot_domain){
		.name = id ? dt_name(dt, node) : "dom0",
		.path = keep_path(dt, node),
		.id = id,
		.is_dom0 = id == 0,
		.kernel = -1,
		.ramdisk = -1,
		.dtb = -1,
		.bootargs = "",
	};
	return d;
}

/* Memory in KiB, as the binding has it. */
static BOOT_TEXT bool read_memory(struct boot_info *b, const void *dt, int node,
				  struct boot_domain *d)
{
	uint64_t kib, total = memory_total(b);

	switch (dt_u64(dt, node, "memory", &kib)) {
	case DT_BAD: return false;
	case DT_ABSENT: dt_complain(dt, node, "memory", "missing"); return false;
	case DT_OK: break;
	}
	if (kib == 0 || kib > total / 1024) {
		dt_complain(dt, node, "memory", "%llu KiB: the machine has %llu",
			    (unsigned long long)kib, (unsigned long long)(total / 1024));
		return false;
	}
	d->memory = ROUND_UP(kib * 1024, PAGE_SIZE);
	return true;
}

static BOOT_TEXT bool read_cpus(const void *dt, int node, struct boot_domain *d)
{
	switch (dt_u32(dt, node, "cpus", &d->cpus)) {
	case DT_BAD: return false;
	case DT_ABSENT: dt_complain(dt, node, "cpus", "missing"); return false;
	case DT_OK: break;
	}
	if (d->cpus == 0 || d->cpus > MAX_DOMAIN_CPUS) {
		dt_complain(dt, node, "cpus", "%u: a domain has 1 to %u", d->cpus, MAX_DOMAIN_CPUS);
		return false;
	}
	return true;
}

static BOOT_TEXT bool read_enhanced(const void *dt, int node, struct boot_domain *d)
{
	const char *value = "enabled";
	uint32_t size;

	d->enhanced = ENHANCED_NO;
	if (!dt_property(dt, node, "xen,enhanced", &size))
		return true;
	if (size && dt_string(dt, node, "xen,enhanced", &value) != DT_OK)
		return false;
	if (strcmp(value, "enabled") == 0 || value[0] == '\0') {
		d->enhanced = ENHANCED_YES;
	} else if (strcmp(value, "no-xenstore") == 0) {
		d->enhanced = ENHANCED_NO_XENSTORE;
	} else if (strcmp(value, "disabled") != 0) {
		dt_complain(dt, node, "xen,enhanced",
			    "\"%.40s\" is not enabled, disabled or "
			    "no-xenstore",
			    value);
		return false;
	}
	return true;
}

static BOOT_TEXT bool static_range_ok(struct boot_info *b, const void *dt, int node, uint64_t start,
				      uint64_t size)
{
	const char *prop = "xen,static-mem";
	const struct boot_module *m;
	const struct boot_domain *other;

	if (size == 0 || !IS_ALIGNED(start, PAGE_SIZE) || !IS_ALIGNED(size, PAGE_SIZE)) {
		dt_complain(dt, node, prop, "0x%llx bytes at 0x%llx: not whole pages",
			    (unsigned long long)size, (unsigned long long)start);
		return false;
	}
	if (!inside_memory(b, start, size)) {
		dt_complain(dt, node, prop, "0x%llx bytes at 0x%llx are not inside memory",
			    (unsigned long long)size, (unsigned long long)start);
		return false;
	}
	m = module_at(b, start, size);
	if (m) {
		dt_complain(dt, node, prop, "overlaps %.60s", m->node);
		return false;
	}
	other = static_at(b, start, size);
	if (other) {
		dt_complain(dt, node, prop, "0x%llx bytes at 0x%llx belong to %.60s",
			    (unsigned long long)size, (unsigned long long)start, other->path);
		return false;
	}
	for (uint32_t i = 0; i < b->nr_reserved; i++) {
		if (overlap(start, size, b->reserved[i].start.a,
			    b->reserved[i].end.a - b->reserved[i].start.a)) {
			dt_complain(dt, node, prop, "overlaps reserved memory at 0x%llx",
				    (unsigned long long)b->reserved[i].start.a);
			return false;
		}
	}
	return true;
}

/* The property's cells: its own (Xen 4.16) or those of the parent (4.17). */
static BOOT_TEXT bool static_cells(const void *dt, int node, uint32_t *ac, uint32_t *sc)
{
	if (!dt_cells(dt, dt_parent(dt, node), ac, sc))
		return false;
	return dt_u32(dt, node, "#xen,static-mem-address-cells", ac) != DT_BAD &&
	       dt_u32(dt, node, "#xen,static-mem-size-cells", sc) != DT_BAD;
}

static BOOT_TEXT bool read_static(struct boot_info *b, const void *dt, int node,
				  struct boot_domain *d)
{
	const char *prop = "xen,static-mem";
	uint64_t start, size, sum = 0;
	uint32_t ac, sc;

	d->direct_map = dt_has(dt, node, "direct-map");
	if (!dt_has(dt, node, prop)) {
		if (d->direct_map)
			dt_complain(dt, node, "direct-map", "needs xen,static-mem");
		return !d->direct_map;
	}
	if (!static_cells(dt, node, &ac, &sc))
		return false;
	for (unsigned i = 0;; i++) {
		enum dt_found found = dt_range(dt, node, prop, ac, sc, i, &start, &size);

		if (found == DT_BAD)
			return false;
		if (found == DT_ABSENT)
			break;
		if (i == BOOT_MAX_STATIC) {
			dt_complain(dt, node, prop, "more than %u ranges", BOOT_MAX_STATIC);
			return false;
		}
		if (!static_range_ok(b, dt, node, start, size))
			return false;
		d->static_mem[d->nr_static++] = (struct static_range){ .start = paddr(start),
								       .size = size };
		sum += size;
	}
	if (sum != d->memory) {
		dt_complain(dt, node, prop, "%llu KiB in all, but memory says %llu",
			    (unsigned long long)(sum / 1024),
			    (unsigned long long)(d->memory / 1024));
		return false;
	}
	return true;
}

static BOOT_TEXT bool read_limits(const void *dt, int node, struct boot_domain *d)
{
	uint32_t mib = 0;

	if (dt_u32(dt, node, "xen,domain-p2m-mem-mb", &mib) == DT_BAD)
		return false;
	if (mib > 4096) {
		dt_complain(dt, node, "xen,domain-p2m-mem-mb", "%u: at most 4096", mib);
		return false;
	}
	d->pool_frames = mib * 256;
	if (dt_has(dt, node, "domain-cpupool"))
		log_warning("%s: domain-cpupool: there are no pools yet, ignored",
			    dt_path(dt, node));
	return true;
}

static BOOT_TEXT void read_domain(struct boot_info *b, const void *dt, int node, domid_t id)
{
	uint32_t index = b->nr_domains;
	struct boot_domain *d;
	int child;

	if (index == BOOT_MAX_DOMAINS) {
		dt_complain(dt, node, NULL, "more than %u domains", BOOT_MAX_DOMAINS);
		return;
	}
	d = new_domain(b, dt, node, id);
	d->vpl011 = dt_has(dt, node, "vpl011");
	dt_for_each_child(dt, child, node)
	{
		if (is_module(dt, child))
			add_module(b, dt, child, index);
		else
			log_warning("%s: not understood, ignored", dt_path(dt, child));
	}
	d->skip = d->skip || !read_memory(b, dt, node, d) || !read_cpus(dt, node, d) ||
		  !read_enhanced(dt, node, d) || !read_static(b, dt, node, d) ||
		  !read_limits(dt, node, d);
	if (!d->skip && d->kernel < 0) {
		dt_complain(dt, node, NULL, "no kernel module");
		d->skip = true;
	}
	if (d->skip) {
		d->nr_static = 0; /* leaves its memory to others */
		return;
	}
	d->bootargs = b->module[d->kernel].cmdline;
}

/* Where the command line of dom0 is: its own property, the kernel module's, or /chosen's. */
static BOOT_TEXT const char *dom0_bootargs(const struct boot_info *b, const void *dt, int chosen,
					   const struct boot_domain *d)
{
	const char *args, *module = b->module[d->kernel].cmdline;

	if (dt_string(dt, chosen, "xen,dom0-bootargs", &args) == DT_OK)
		return args;
	/* /chosen's own are ours, unless we have others or nobody else's are there. */
	if (*module || (!dt_has(dt, chosen, "xen,xen-bootargs") && dt_bootargs(dt)[0]))
		return module;
	return dt_string(dt, chosen, "bootargs", &args) == DT_OK ? args : "";
}

static BOOT_TEXT void read_dom0(struct boot_info *b, const void *dt, int chosen)
{
	struct boot_domain *d = NULL;
	uint32_t index = b->nr_domains;
	int child;

	dt_for_each_child(dt, child, chosen)
	{
		if (!is_module(dt, child))
			continue;
		if (!d)
			d = new_domain(b, dt, chosen, 0);
		add_module(b, dt, child, index);
	}
	if (!d)
		return;
	d->enhanced = ENHANCED_YES;
	d->direct_map = true;
	if (!d->skip && d->kernel < 0) {
		dt_complain(dt, chosen, NULL, "modules for dom0, but no kernel");
		d->skip = true;
	}
	if (d->skip)
		log_error("dom0: not started");
	else
		d->bootargs = dom0_bootargs(b, dt, chosen, d);
}

BOOT_TEXT int boot_read_description(struct boot_info *b, const void *fdt, size_t size)
{
	int chosen, child;
	domid_t id = 1;

	path_used = 0;
	b->nr_modules = b->nr_domains = 0;
	b->fdt = fdt;
	b->fdt_size = (uint32_t)size;
	if (b->nr_memory == 0) {
		b->nr_memory = (uint32_t)dt_memory(fdt, b->memory, BOOT_MAX_REGIONS);
		b->nr_reserved = (uint32_t)dt_reserved(fdt, b->reserved, BOOT_MAX_REGIONS);
	}
	if (!b->cmdline)
		b->cmdline = dt_bootargs(fdt);
	chosen = dt_by_path(fdt, "/chosen");
	if (chosen < 0) {
		log_error("device tree: no /chosen: nothing to boot");
		return -ENOENT;
	}
	read_dom0(b, fdt, chosen);
	dt_for_each_child(fdt, child, chosen)
	{
		if (dt_is_compatible(fdt, child, "xen,domain"))
			read_domain(b, fdt, child, id++);
	}
	return 0;
}

BOOT_TEXT void boot_describe_loaded(struct boot_info *b)
{
	struct boot_domain *d = &b->domain[0];

	b->nr_modules = MIN(b->nr_loaded, 2u);
	b->nr_domains = b->nr_loaded != 0;
	for (uint32_t i = 0; i < b->nr_modules; i++) {
		b->module[i] = b->loaded[i];
		b->module[i].kind = i ? MODULE_RAMDISK : MODULE_KERNEL;
	}
	for (uint32_t i = 2; i < b->nr_loaded; i++)
		log_warning("%s: no use for this module, ignored", b->loaded[i].node);
	if (!b->nr_domains)
		return;
	*d = (struct boot_domain){
		.name = "dom0",
		.path = "dom0",
		.is_dom0 = true,
		.enhanced = ENHANCED_YES,
		.kernel = 0,
		.ramdisk = b->nr_modules > 1 ? 1 : -1,
		.dtb = -1,
		.bootargs = b->module[0].cmdline,
	};
	if (!b->module[0].size) {
		log_error("dom0: not started: the boot loader's first module is empty");
		d->skip = true;
	}
	if (d->ramdisk > 0 && !b->module[1].size)
		d->ramdisk = -1;
}
