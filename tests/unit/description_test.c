/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to boot: what is right is taken, each thing that is wrong is one line naming node and reason, and
 * the other domains boot.
 */
#include "sim.h"
#include <stdio.h>
#include <hv/fdt.h>

static uint64_t tree_space[4096];
static void *const tree = tree_space;
static struct dt_writer w;
static struct boot_info b;
static uint64_t next_module;

#define MIB (1ull << 20)

/* A machine of 1 GiB at 0x40000000; /chosen is open. */
static int setup(void **state)
{
	sim_boot(1, 16 << 20, 1);
	memset(tree_space, 0, sizeof(tree_space));
	memset(&b, 0, sizeof(b));
	next_module = 0x70000000;
	dtw_begin(&w, tree, sizeof(tree_space));
	dtw_node(&w, "");
	dtw_u32(&w, "#address-cells", 2);
	dtw_u32(&w, "#size-cells", 2);
	dtw_node(&w, "memory@40000000");
	dtw_string(&w, "device_type", "memory");
	dtw_ranges(&w, "reg", (const uint64_t[]){ 0x40000000, 1024 * MIB }, 1);
	dtw_end(&w);
	dtw_node(&w, "chosen");
	dtw_u32(&w, "#address-cells", 2);
	dtw_u32(&w, "#size-cells", 2);
	return 0;
}

static int teardown(void **state)
{
	sim_shutdown();
	return 0;
}

static void read_tree(void)
{
	size_t size;

	dtw_end(&w);
	dtw_end(&w);
	assert_true(dtw_finish(&w, "test", &size));
	assert_true(dt_check(tree, sizeof(tree_space), &size));
	assert_int_equal(boot_read_description(&b, tree, size), 0);
}

static void module_at(const char *kind, const char *args, uint64_t start, uint64_t size)
{
	char compatible[64];
	int n = snprintf(compatible, sizeof(compatible), "multiboot,%s", kind) + 1;

	n += snprintf(compatible + n, sizeof(compatible) - (size_t)n, "multiboot,module") + 1;
	dtw_node_at(&w, "module", start);
	dtw_bytes(&w, "compatible", compatible, (size_t)n);
	dtw_ranges(&w, "reg", (const uint64_t[]){ start, size }, 1);
	if (args)
		dtw_string(&w, "bootargs", args);
	dtw_end(&w);
}

static void module(const char *kind, const char *args)
{
	module_at(kind, args, next_module, MIB);
	next_module += 2 * MIB;
}

/* Leaves the node open. */
static void domain_begin(const char *name, uint64_t kib, uint32_t cpus)
{
	dtw_node(&w, name);
	dtw_string(&w, "compatible", "xen,domain");
	dtw_u32(&w, "#address-cells", 2);
	dtw_u32(&w, "#size-cells", 2);
	dtw_u64(&w, "memory", kib);
	dtw_u32(&w, "cpus", cpus);
}

static void good_domain(const char *name)
{
	domain_begin(name, 65536, 1);
	module("kernel", "quiet");
	dtw_end(&w);
}

/* Domain `i` is skipped, something with `why` was printed, and its good neighbour is not. */
static void expect_refused(uint32_t i, const char *why)
{
	assert_true(b.domain[i].skip);
	if (!sim_console_has(why))
		fail_msg("no \"%s\" in:\n%s", why, sim_console());
	assert_false(b.domain[i + 1].skip);
}

static void dom0_and_domains_are_found(void **state)
{
	module("kernel", "console=hvc0");
	module("ramdisk", NULL);
	domain_begin("one", 131072, 2);
	dtw_flag(&w, "vpl011");
	dtw_string(&w, "xen,enhanced", "no-xenstore");
	module("kernel", "a b");
	module("ramdisk", NULL);
	module("device-tree", NULL);
	dtw_end(&w);
	good_domain("two");
	read_tree();
	assert_int_equal(b.nr_domains, 3);
	assert_int_equal(b.nr_modules, 6);
	assert_true(b.domain[0].is_dom0);
	assert_string_equal(b.domain[0].bootargs, "console=hvc0");
	assert_int_equal(b.domain[1].id, 1);
	assert_string_equal(b.domain[1].name, "one");
	assert_string_equal(b.domain[1].path, "/chosen/one");
	assert_int_equal(b.domain[1].memory, 128 * MIB);
	assert_int_equal(b.domain[1].cpus, 2);
	assert_true(b.domain[1].vpl011);
	assert_int_equal(b.domain[1].enhanced, ENHANCED_NO_XENSTORE);
	assert_string_equal(b.domain[1].bootargs, "a b");
	assert_int_equal(b.module[b.domain[1].kernel].kind, MODULE_KERNEL);
	assert_int_equal(b.module[b.domain[1].ramdisk].kind, MODULE_RAMDISK);
	assert_int_equal(b.module[b.domain[1].dtb].kind, MODULE_DTB);
	assert_int_equal(b.domain[2].id, 2);
	assert_int_equal(b.domain[2].enhanced, ENHANCED_NO);
	for (uint32_t i = 0; i < 3; i++)
		assert_false(b.domain[i].skip);
}

static void modules_without_kind_are_kernel_and_ramdisk(void **state)
{
	for (uint32_t i = 0; i < 2; i++) {
		dtw_node_at(&w, "module", i);
		dtw_string(&w, "compatible", i ? "xen,multiboot-module" : "multiboot,module");
		dtw_ranges(&w, "reg", (const uint64_t[]){ 0x50000000 + i * MIB, MIB }, 1);
		dtw_end(&w);
	}
	read_tree();
	assert_int_equal(b.nr_domains, 1);
	assert_int_equal(b.domain[0].kernel, 0);
	assert_int_equal(b.domain[0].ramdisk, 1);
}

static void dom0_arguments_come_from_the_right_place(void **state)
{
	dtw_string(&w, "xen,xen-bootargs", "loglvl=all");
	dtw_string(&w, "bootargs", "for linux");
	module("kernel", NULL);
	read_tree();
	assert_string_equal(b.cmdline, "loglvl=all");
	assert_string_equal(b.domain[0].bootargs, "for linux");
}

static void without_xens_properties_bootargs_are_dom0s(void **state)
{
	dtw_string(&w, "bootargs", "for linux");
	module("kernel", NULL);
	read_tree();
	assert_string_equal(b.cmdline, "");
	assert_string_equal(b.domain[0].bootargs, "for linux");
}

static void a_kernel_with_arguments_leaves_bootargs_to_us(void **state)
{
	dtw_string(&w, "bootargs", "dom0_mem=1G");
	module("kernel", "for linux");
	read_tree();
	assert_string_equal(b.cmdline, "dom0_mem=1G");
	assert_string_equal(b.domain[0].bootargs, "for linux");
}

static void memory_must_be_there_and_exist(void **state)
{
	dtw_node(&w, "none");
	dtw_string(&w, "compatible", "xen,domain");
	dtw_u32(&w, "#address-cells", 2);
	dtw_u32(&w, "#size-cells", 2);
	dtw_u32(&w, "cpus", 1);
	module("kernel", "");
	dtw_end(&w);
	good_domain("good0");
	domain_begin("zero", 0, 1);
	module("kernel", "");
	dtw_end(&w);
	good_domain("good1");
	domain_begin("huge", 1024 * 1024 + 1, 1);
	module("kernel", "");
	dtw_end(&w);
	good_domain("good2");
	domain_begin("overflow", ~0ull / 1024 + 2, 1);
	module("kernel", "");
	dtw_end(&w);
	good_domain("good3");
	read_tree();
	expect_refused(0, "/chosen/none: memory: missing");
	expect_refused(2, "/chosen/zero: memory: 0 KiB");
	expect_refused(4, "/chosen/huge: memory: 1048577 KiB: the machine has 1048576");
	expect_refused(6, "/chosen/overflow: memory:");
}

static void cpus_must_be_some_and_not_too_many(void **state)
{
	domain_begin("zero", 65536, 0);
	module("kernel", "");
	dtw_end(&w);
	good_domain("good0");
	domain_begin("many", 65536, 129);
	module("kernel", "");
	dtw_end(&w);
	good_domain("good1");
	domain_begin("most", 65536, 128);
	module("kernel", "");
	dtw_end(&w);
	read_tree();
	expect_refused(0, "/chosen/zero: cpus: 0");
	expect_refused(2, "/chosen/many: cpus: 129");
	assert_false(b.domain[4].skip);
}

static void properties_of_the_wrong_size_refuse_the_domain(void **state)
{
	dtw_node(&w, "short");
	dtw_string(&w, "compatible", "xen,domain");
	dtw_bytes(&w, "memory", "abc", 3);
	dtw_u32(&w, "cpus", 1);
	dtw_u32(&w, "#address-cells", 2);
	dtw_u32(&w, "#size-cells", 2);
	module("kernel", "");
	dtw_end(&w);
	good_domain("good0");
	domain_begin("enhanced", 65536, 1);
	dtw_string(&w, "xen,enhanced", "perhaps");
	module("kernel", "");
	dtw_end(&w);
	good_domain("good1");
	read_tree();
	expect_refused(0, "/chosen/short: memory: has 3 bytes");
	expect_refused(2, "/chosen/enhanced: xen,enhanced: \"perhaps\"");
}

static void kernels_must_be_there(void **state)
{
	domain_begin("bare", 65536, 1);
	dtw_end(&w);
	good_domain("good0");
	domain_begin("two", 65536, 1);
	module("kernel", "");
	module("kernel", "");
	dtw_end(&w);
	good_domain("good1");
	read_tree();
	expect_refused(0, "/chosen/bare: no kernel module");
	expect_refused(2, "a second module of this kind");
}

static void modules_must_be_in_memory_and_apart(void **state)
{
	domain_begin("outside", 65536, 1);
	module_at("kernel", "", 0x7ff00000, MIB + 1);
	dtw_end(&w);
	good_domain("good0");
	domain_begin("empty", 65536, 1);
	module_at("kernel", "", 0x60000000, 0);
	dtw_end(&w);
	good_domain("good1");
	domain_begin("over", 65536, 1);
	module_at("kernel", "", 0x700fffff, 16);
	dtw_end(&w);
	good_domain("good2");
	read_tree();
	expect_refused(0, "/chosen/outside/module@7ff00000: reg:");
	expect_refused(2, "an empty module");
	expect_refused(4, "overlaps /chosen/good0/module@70000000");
}

static void static_memory_is_nobody_elses(void **state)
{
	const uint64_t first[] = { 0x48000000, 64 * MIB }, inside[] = { 0x4a000000, 64 * MIB };
	const uint64_t on_module[] = { 0x70000000, 64 * MIB },
		       unaligned[] = { 0x50000800, 64 * MIB };

	domain_begin("first", 65536, 1);
	dtw_ranges(&w, "xen,static-mem", first, 1);
	dtw_flag(&w, "direct-map");
	module("kernel", "");
	dtw_end(&w);
	domain_begin("inside", 65536, 1);
	dtw_ranges(&w, "xen,static-mem", inside, 1);
	module("kernel", "");
	dtw_end(&w);
	good_domain("good0");
	domain_begin("module", 65536, 1);
	dtw_ranges(&w, "xen,static-mem", on_module, 1);
	module("kernel", "");
	dtw_end(&w);
	good_domain("good1");
	domain_begin("unaligned", 65536, 1);
	dtw_ranges(&w, "xen,static-mem", unaligned, 1);
	module("kernel", "");
	dtw_end(&w);
	good_domain("good2");
	domain_begin("less", 65537, 1);
	dtw_ranges(&w, "xen,static-mem", (const uint64_t[]){ 0x50000000, 64 * MIB }, 1);
	module("kernel", "");
	dtw_end(&w);
	good_domain("good3");
	domain_begin("direct", 65536, 1);
	dtw_flag(&w, "direct-map");
	module("kernel", "");
	dtw_end(&w);
	good_domain("good4");
	read_tree();
	assert_false(b.domain[0].skip);
	assert_true(b.domain[0].direct_map);
	assert_int_equal(b.domain[0].static_mem[0].start.a, 0x48000000);
	expect_refused(1, "belong to /chosen/first");
	expect_refused(3, "/chosen/module: xen,static-mem: overlaps");
	expect_refused(5, "/chosen/unaligned: xen,static-mem:");
	expect_refused(7, "/chosen/less: xen,static-mem: 65536 KiB in all");
	expect_refused(9, "/chosen/direct: direct-map: needs xen,static-mem");
}

static void there_may_be_too_many(void **state)
{
	char name[16];

	for (unsigned i = 0; i < BOOT_MAX_DOMAINS + 2; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		good_domain(name);
	}
	read_tree();
	assert_int_equal(b.nr_domains, BOOT_MAX_DOMAINS);
	assert_true(sim_console_has("/chosen/d33: more than 32 domains"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(dom0_and_domains_are_found),
		TEST(modules_without_kind_are_kernel_and_ramdisk),
		TEST(dom0_arguments_come_from_the_right_place),
		TEST(without_xens_properties_bootargs_are_dom0s),
		TEST(a_kernel_with_arguments_leaves_bootargs_to_us),
		TEST(memory_must_be_there_and_exist),
		TEST(cpus_must_be_some_and_not_too_many),
		TEST(properties_of_the_wrong_size_refuse_the_domain),
		TEST(kernels_must_be_there),
		TEST(modules_must_be_in_memory_and_apart),
		TEST(static_memory_is_nobody_elses),
		TEST(there_may_be_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
