/* SPDX-License-Identifier: Apache-2.0 */
/* Device trees: sound ones are read, every unsound property is refused and named. */
#include "sim.h"
#include <hv/fdt.h>

static uint64_t tree_space[1024];
static void *const tree = tree_space;
static struct dt_writer w;

static int setup(void **state)
{
	sim_boot(1, 16 << 20, 1);
	memset(tree_space, 0, sizeof(tree_space));
	dtw_begin(&w, tree, sizeof(tree_space));
	dtw_node(&w, "");
	dtw_u32(&w, "#address-cells", 2);
	dtw_u32(&w, "#size-cells", 2);
	return 0;
}

static int teardown(void **state)
{
	sim_shutdown();
	return 0;
}

/* Close the root and judge. */
static void finish(void)
{
	size_t size;

	dtw_end(&w);
	assert_true(dtw_finish(&w, "test", &size));
	assert_true(dt_check(tree, sizeof(tree_space), &size));
}

static void a_tree_is_read_as_written(void **state)
{
	const uint64_t reg[] = { 0x9000000, 0x1000, 0x100000000, 0x2000 };
	uint64_t addr, size, v64;
	const char *s;
	uint32_t v;
	int node;

	dtw_node_at(&w, "uart", 0x9000000);
	dtw_bytes(&w, "compatible", "arm,pl011\0arm,primecell", 24);
	dtw_ranges(&w, "reg", reg, 2);
	dtw_u32(&w, "n", 7);
	dtw_u64(&w, "big", 0x123456789abcdefull);
	dtw_string(&w, "s", "text");
	dtw_end(&w);
	finish();
	node = dt_by_compatible(tree, DT_ROOT, "arm,primecell");
	assert_int_equal(node, dt_by_path(tree, "/uart@9000000:115200"));
	assert_string_equal(dt_path(tree, node), "/uart@9000000");
	assert_int_equal(dt_reg(tree, node, 1, &addr, &size), DT_OK);
	assert_int_equal(addr, 0x100000000);
	assert_int_equal(size, 0x2000);
	assert_int_equal(dt_reg(tree, node, 2, &addr, &size), DT_ABSENT);
	assert_int_equal(dt_u32(tree, node, "n", &v), DT_OK);
	assert_int_equal(v, 7);
	assert_int_equal(dt_u64(tree, node, "big", &v64), DT_OK);
	assert_int_equal(v64, 0x123456789abcdefull);
	assert_int_equal(dt_u64(tree, node, "n", &v64), DT_OK);
	assert_int_equal(v64, 7);
	assert_int_equal(dt_string(tree, node, "s", &s), DT_OK);
	assert_string_equal(s, "text");
	assert_int_equal(dt_string_at(tree, node, "compatible", 1, &s), DT_OK);
	assert_string_equal(s, "arm,primecell");
	assert_int_equal(dt_string_at(tree, node, "compatible", 2, &s), DT_ABSENT);
	assert_int_equal(dt_u32(tree, node, "none", &v), DT_ABSENT);
}

static void properties_of_the_wrong_size_are_named(void **state)
{
	uint64_t v64, size;
	const char *s;
	uint32_t v;
	int node;

	dtw_node(&w, "odd");
	dtw_bytes(&w, "three", "abc", 3);
	dtw_bytes(&w, "empty", "", 0);
	dtw_bytes(&w, "inside", "a\0b", 4);
	dtw_bytes(&w, "reg", "0123456789", 10);
	dtw_end(&w);
	finish();
	node = dt_by_path(tree, "/odd");
	assert_int_equal(dt_u32(tree, node, "three", &v), DT_BAD);
	assert_true(sim_console_has("/odd: three: has 3 bytes"));
	assert_int_equal(dt_u64(tree, node, "three", &v64), DT_BAD);
	assert_int_equal(dt_u32(tree, node, "empty", &v), DT_BAD);
	assert_int_equal(dt_string(tree, node, "three", &s), DT_BAD);
	assert_int_equal(dt_string(tree, node, "empty", &s), DT_BAD);
	assert_int_equal(dt_string(tree, node, "inside", &s), DT_BAD);
	assert_int_equal(dt_cell(tree, node, "three", 0, &v), DT_BAD);
	assert_int_equal(dt_reg(tree, node, 0, &v64, &size), DT_BAD);
	assert_true(sim_console_has("/odd: reg: has 10 bytes"));
}

static void ranges_may_not_wrap(void **state)
{
	const uint64_t end[] = { ~0xfffull, 0x1000 }, over[] = { ~0xfffull, 0x1001 };
	uint64_t addr, size;

	dtw_node(&w, "end");
	dtw_ranges(&w, "reg", end, 1);
	dtw_end(&w);
	dtw_node(&w, "over");
	dtw_ranges(&w, "reg", over, 1);
	dtw_end(&w);
	finish();
	assert_int_equal(dt_reg(tree, dt_by_path(tree, "/end"), 0, &addr, &size), DT_OK);
	assert_int_equal(dt_reg(tree, dt_by_path(tree, "/over"), 0, &addr, &size), DT_BAD);
	assert_true(sim_console_has("wrap"));
}

static void buses_translate(void **state)
{
	uint64_t addr, size;

	dtw_node(&w, "soc");
	dtw_u32(&w, "#address-cells", 1);
	dtw_u32(&w, "#size-cells", 1);
	dtw_array(&w, "ranges", 0x1000, 0, 0x40001000, 0x1000);
	dtw_node(&w, "in");
	dtw_array(&w, "reg", 0x1800, 0x800);
	dtw_end(&w);
	dtw_node(&w, "out");
	dtw_array(&w, "reg", 0x1800, 0x801);
	dtw_end(&w);
	dtw_end(&w);
	dtw_node(&w, "i2c");
	dtw_u32(&w, "#address-cells", 1);
	dtw_u32(&w, "#size-cells", 0);
	dtw_node(&w, "chip");
	dtw_u32(&w, "reg", 0x50);
	dtw_end(&w);
	dtw_end(&w);
	finish();
	assert_int_equal(dt_reg(tree, dt_by_path(tree, "/soc/in"), 0, &addr, &size), DT_OK);
	assert_int_equal(addr, 0x40001800);
	assert_int_equal(dt_reg(tree, dt_by_path(tree, "/soc/out"), 0, &addr, &size), DT_ABSENT);
	assert_int_equal(dt_reg(tree, dt_by_path(tree, "/i2c/chip"), 0, &addr, &size), DT_ABSENT);
	assert_int_equal(dt_reg_raw(tree, dt_by_path(tree, "/i2c/chip"), 0, &addr, &size), DT_OK);
	assert_int_equal(addr, 0x50);
}

static void interrupts_find_their_controller(void **state)
{
	uint32_t irq;
	bool level;

	dtw_u32(&w, "interrupt-parent", 1);
	dtw_node(&w, "gic");
	dtw_string(&w, "compatible", "arm,gic-v3");
	dtw_u32(&w, "#interrupt-cells", 3);
	dtw_u32(&w, "phandle", 1);
	dtw_end(&w);
	dtw_node(&w, "a");
	dtw_array(&w, "interrupts", 0, 5, 4, 1, 11, 1);
	dtw_end(&w);
	dtw_node(&w, "b");
	dtw_array(&w, "interrupts-extended", 1, 0, 987, 1, 1, 0, 988, 1);
	dtw_end(&w);
	dtw_node(&w, "c");
	dtw_array(&w, "interrupts", 0, 5);
	dtw_end(&w);
	dtw_node(&w, "d");
	dtw_u32(&w, "interrupt-parent", 99);
	dtw_array(&w, "interrupts", 0, 5, 4);
	dtw_end(&w);
	finish();
	assert_int_equal(dt_gic_interrupt(tree, dt_by_path(tree, "/a"), 0, &irq, &level), DT_OK);
	assert_int_equal(irq, 37);
	assert_true(level);
	assert_int_equal(dt_gic_interrupt(tree, dt_by_path(tree, "/a"), 1, &irq, &level), DT_OK);
	assert_int_equal(irq, 27);
	assert_false(level);
	assert_int_equal(dt_gic_interrupt(tree, dt_by_path(tree, "/a"), 2, &irq, &level), DT_ABSENT);
	assert_int_equal(dt_gic_interrupt(tree, dt_by_path(tree, "/b"), 0, &irq, &level), DT_OK);
	assert_int_equal(irq, 1019);
	assert_int_equal(dt_gic_interrupt(tree, dt_by_path(tree, "/b"), 1, &irq, &level), DT_BAD);
	assert_int_equal(dt_gic_interrupt(tree, dt_by_path(tree, "/c"), 0, &irq, &level), DT_BAD);
	assert_int_equal(dt_gic_interrupt(tree, dt_by_path(tree, "/d"), 0, &irq, &level), DT_BAD);
}

static void circles_and_missing_cells_are_errors(void **state)
{
	uint64_t addr, size;
	uint32_t irq;
	bool level;

	/* Two controllers that are each other's parent, and one that is its own. */
	for (uint32_t i = 1; i <= 2; i++) {
		dtw_node(&w, i == 1 ? "one" : "two");
		dtw_u32(&w, "phandle", i);
		dtw_u32(&w, "interrupt-parent", 3 - i);
		dtw_u32(&w, "#interrupt-cells", 3);
		dtw_array(&w, "interrupts", 0, 5, 4);
		dtw_end(&w);
	}
	dtw_node(&w, "self");
	dtw_u32(&w, "phandle", 3);
	dtw_u32(&w, "interrupt-parent", 3);
	dtw_array(&w, "interrupts", 0, 5, 4); /* and it does not say how many cells it takes */
	dtw_end(&w);
	dtw_node(&w, "wide");
	dtw_u32(&w, "#address-cells", 5);
	dtw_node(&w, "in");
	dtw_array(&w, "reg", 1, 2, 3, 4, 5, 6);
	dtw_end(&w);
	dtw_end(&w);
	dtw_node(&w, "short");
	dtw_array(&w, "reg", 1, 2, 3);
	dtw_end(&w);
	finish();
	assert_int_equal(dt_gic_interrupt(tree, dt_by_path(tree, "/one"), 0, &irq, &level),
			 DT_ABSENT);
	assert_int_equal(dt_gic_interrupt(tree, dt_by_path(tree, "/self"), 0, &irq, &level), DT_BAD);
	assert_true(sim_console_has("/self: interrupts: names no usable interrupt controller"));
	assert_int_equal(dt_reg(tree, dt_by_path(tree, "/wide/in"), 0, &addr, &size), DT_BAD);
	assert_true(sim_console_has("/wide: 5 address and 1 size cells"));
	assert_int_equal(dt_reg(tree, dt_by_path(tree, "/short"), 0, &addr, &size), DT_BAD);
}

static void memory_is_sorted_and_joined(void **state)
{
	const uint64_t a[] = { 0x80000000, 0x10000000 },
		       b[] = { 0x40000000, 0x40000000, 0x200000000, 0x1000 };
	struct boot_region r[4];

	dtw_node(&w, "memory@80000000");
	dtw_string(&w, "device_type", "memory");
	dtw_ranges(&w, "reg", a, 1);
	dtw_end(&w);
	dtw_node(&w, "memory@40000000");
	dtw_string(&w, "device_type", "memory");
	dtw_ranges(&w, "reg", b, 2);
	dtw_end(&w);
	finish();
	assert_int_equal(dt_memory(tree, r, 4), 2);
	assert_int_equal(r[0].start.a, 0x40000000);
	assert_int_equal(r[0].end.a, 0x90000000);
	assert_int_equal(r[1].start.a, 0x200000000);
	assert_int_equal(dt_memory(tree, r, 1), 1);
	assert_true(sim_console_has("table of 1 full"));
}

static void nodes_are_copied_with_everything_below(void **state)
{
	static uint64_t copy_space[512];
	struct dt_writer to;
	size_t size;

	dtw_node(&w, "a");
	dtw_u32(&w, "x", 1);
	dtw_node(&w, "b");
	dtw_u32(&w, "y", 2);
	dtw_node(&w, "c");
	dtw_end(&w);
	dtw_end(&w);
	dtw_node(&w, "d");
	dtw_end(&w);
	dtw_end(&w);
	dtw_node(&w, "e");
	dtw_end(&w);
	finish();
	dtw_begin(&to, copy_space, sizeof(copy_space));
	dtw_node(&to, "");
	dtw_copy_node(&to, tree, dt_by_path(tree, "/a"));
	dtw_end(&to);
	assert_true(dtw_finish(&to, "copy", &size));
	assert_true(dt_check(copy_space, sizeof(copy_space), &size));
	assert_true(dt_by_path(copy_space, "/a/b/c") > 0);
	assert_true(dt_by_path(copy_space, "/a/d") > 0);
	assert_true(dt_by_path(copy_space, "/a/b/d") < 0);
	assert_true(dt_by_path(copy_space, "/e") < 0);
	assert_true(dt_has(copy_space, dt_by_path(copy_space, "/a/b"), "y"));
}

static void a_writer_that_is_full_says_so_at_the_end(void **state)
{
	static uint64_t small[16];
	struct dt_writer to;
	size_t size;

	dtw_begin(&to, small, sizeof(small));
	dtw_node(&to, "");
	for (unsigned i = 0; i < 100; i++)
		dtw_string(&to, "property", "and its value");
	dtw_end(&to);
	assert_false(dtw_finish(&to, "small one", &size));
	assert_true(sim_console_has("small one: device tree of at most 128 bytes"));
}

static void too_deep_trees_are_refused(void **state)
{
	size_t size;

	for (unsigned i = 0; i < DT_MAX_DEPTH + 1; i++)
		dtw_node(&w, "n");
	for (unsigned i = 0; i < DT_MAX_DEPTH + 1; i++)
		dtw_end(&w);
	dtw_end(&w);
	assert_true(dtw_finish(&w, "deep", &size));
	assert_false(dt_check(tree, sizeof(tree_space), &size));
	assert_true(sim_console_has("deep"));
}

/* Whatever bytes are wrong: refused, or safe to walk (the sanitizers watch). */
static void damaged_trees_do_no_harm(void **state)
{
	static uint64_t copy[512];
	struct boot_region r[4];
	size_t size, used;
	unsigned refused = 0;

	dtw_node(&w, "memory@40000000");
	dtw_string(&w, "device_type", "memory");
	dtw_ranges(&w, "reg", (const uint64_t[]){ 0x40000000, 0x1000 }, 1);
	dtw_end(&w);
	dtw_node(&w, "chosen");
	dtw_string(&w, "stdout-path", "/memory@40000000");
	dtw_end(&w);
	finish();
	assert_true(dt_check(tree, sizeof(tree_space), &used));
	for (size_t i = 0; i < used; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			const char *opts;
			int node, depth;

			memcpy(copy, tree, sizeof(copy));
			((unsigned char *)copy)[i] ^= (unsigned char)(1u << bit);
			if (!dt_check(copy, used, &size)) {
				refused++;
				continue;
			}
			assert_in_range(dt_memory(copy, r, 4), 0, 4);
			assert_in_range(dt_reserved(copy, r, 4), 0, 4);
			(void)dt_stdout(copy, &opts);
			(void)dt_bootargs(copy);
			dt_for_each(copy, node, depth)(void) dt_path(copy, node);
		}
	}
	assert_true(refused > 100);
	assert_false(dt_check(tree, used - 1, &size));
	assert_false(dt_check((char *)tree + 4, used, &size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(a_tree_is_read_as_written),
		TEST(properties_of_the_wrong_size_are_named),
		TEST(ranges_may_not_wrap),
		TEST(buses_translate),
		TEST(interrupts_find_their_controller),
		TEST(circles_and_missing_cells_are_errors),
		TEST(memory_is_sorted_and_joined),
		TEST(nodes_are_copied_with_everything_below),
		TEST(a_writer_that_is_full_says_so_at_the_end),
		TEST(too_deep_trees_are_refused),
		TEST(damaged_trees_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
