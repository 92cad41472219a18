/* SPDX-License-Identifier: Apache-2.0 */
/* What boot loaders hand over (hv/arch/x86_64/boot/loader.c): taken where it holds together; what does not is named and left out. */
#include "sim.h"

#include "../../hv/arch/x86_64/include/asm/boot.h"
#include "../../hv/arch/x86_64/include/asm/machine.h"

#include <hv/boot.h>
#include <sys/mman.h>
#include <xen/arch-x86/hvm/start_info.h>

#define MB1_LOADED  0x2badb002u
#define MB2_LOADED  0x36d76289u
#define MIB         (1ull << 20)
#define INFO        0x9000u
#define IMAGE_START (2 * MIB)
#define IMAGE_END   (3 * MIB)

struct machine machine;

/* The first 4 GiB of a PC; only what is touched exists. */
static uint8_t *memory;

static int map_memory(void **state)
{
	memory = mmap(NULL, 4096 * MIB + 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED;
}

static void begin(void)
{
	sim_boot_bare(64 * MIB, 1);
	sim_direct_base = (uintptr_t)memory;
	memset(&boot_info, 0, sizeof(boot_info));
	memset(&machine, 0, sizeof(machine));
	memset(memory, 0, MIB);
}

static void end(void)
{
	sim_shutdown();
}

static void put(uint32_t at, const void *p, size_t n)
{
	memcpy(memory + at, p, n);
}

static void put32(uint32_t at, uint32_t v)
{
	put(at, &v, 4);
}

static void put64(uint32_t at, uint64_t v)
{
	put(at, &v, 8);
}

/* ---- multiboot ------------------------------------------------------------------------------------ */

#define MAP     0xa000u
#define MODULES 0xb000u

static uint32_t map_end;

static void mb1_memory(uint64_t start, uint64_t size, uint32_t type)
{
	put32(map_end, 20);
	put64(map_end + 4, start);
	put64(map_end + 12, size);
	put32(map_end + 20, type);
	map_end += 24;
	put32(INFO + 44, map_end - MAP);
}

static void mb1_module(unsigned n, uint32_t start, uint32_t end)
{
	put32(MODULES + 16 * n, start);
	put32(MODULES + 16 * n + 4, end);
	put32(INFO + 20, n + 1);
}

/* A usual PC with 256 MiB. */
static void mb1_begin(void)
{
	begin();
	put32(INFO, 1u << 2 | 1u << 3 | 1u << 6);
	put32(INFO + 16, 0xc000);
	put(0xc000, "console=com1", 13);
	put32(INFO + 24, MODULES);
	put32(INFO + 48, MAP);
	map_end = MAP;
	mb1_memory(0, 0x9fc00, 1);
	mb1_memory(0xf0000, 0x10000, 2);
	mb1_memory(MIB, 255 * MIB, 1);
}

static bool settle(uint32_t magic)
{
	return loader_read(magic, INFO) && loader_settle(IMAGE_START, IMAGE_END);
}

static void usual_multiboot_is_taken(void **state)
{
	mb1_begin();
	mb1_module(0, 16 * MIB, 20 * MIB);
	mb1_module(1, 20 * MIB, 21 * MIB);
	assert_true(settle(MB1_LOADED));
	assert_string_equal(boot_info.cmdline, "console=com1");
	assert_int_equal(boot_info.nr_memory, 2);
	assert_int_equal(boot_info.memory[1].end.a, 256 * MIB);
	assert_int_equal(machine.nr_firmware, 1);
	assert_int_equal(boot_info.nr_loaded, 2);
	assert_int_equal(boot_info.loaded[1].start.a, 20 * MIB);
	assert_int_equal(boot_info.loaded[1].size, MIB);
	end();
}

static void information_outside_of_memory_is_refused(void **state)
{
	begin();
	assert_false(loader_read(MB1_LOADED, 0));
	assert_false(loader_read(MB1_LOADED, 0xfffffff8));
	assert_false(loader_read(MB2_LOADED, 0xfffffffc));
	assert_false(loader_read(XEN_HVM_START_MAGIC_VALUE, 0xffffffff));
	assert_false(loader_read(0x12345678, INFO));
	end();
}

static void no_memory_map_is_refused(void **state)
{
	mb1_begin();
	put32(INFO, 1u << 2);
	assert_false(loader_read(MB1_LOADED, INFO));
	put32(INFO, 1u << 6);
	put32(INFO + 48, 0xfffff000);
	put32(INFO + 44, 0x2000);
	assert_false(loader_read(MB1_LOADED, INFO));
	end();
}

static void a_module_list_outside_of_memory_is_left_out(void **state)
{
	mb1_begin();
	put32(INFO + 20, 0x20000000);
	put32(INFO + 24, 0xf0000000);
	assert_true(settle(MB1_LOADED));
	assert_int_equal(boot_info.nr_loaded, 0);
	end();
}

static void an_absurd_map_ends_where_it_stops_making_sense(void **state)
{
	mb1_begin();
	mb1_memory(512 * MIB, ~0ull, 1);     /* wraps */
	mb1_memory(~0ull - MIB, 4 * MIB, 1); /* wraps */
	mb1_memory(300 * MIB, 0, 1);         /* empty */
	put32(map_end, 3); /* shorter than an entry: nothing after it is looked at */
	put32(INFO + 44, map_end + 100 - MAP);
	assert_true(settle(MB1_LOADED));
	assert_int_equal(boot_info.nr_memory, 2);
	end();
}

static void too_many_entries_are_left_out(void **state)
{
	begin();
	put32(INFO, 1u << 6);
	put32(INFO + 48, MAP);
	map_end = MAP;
	for (unsigned i = 0; i < 2000; i++)
		mb1_memory((16 + i) * MIB, MIB / 2, i & 1 ? 1 : 2);
	assert_true(settle(MB1_LOADED));
	assert_int_equal(boot_info.nr_memory, BOOT_MAX_REGIONS);
	assert_int_equal(machine.nr_firmware, MAX_FIRMWARE_RANGES);
	assert_true(machine.firmware_cut);
	end();
}

static void ram_that_is_listed_twice_or_reserved_counts_once_or_not(void **state)
{
	mb1_begin();
	mb1_memory(128 * MIB, 256 * MIB, 1); /* 128 to 256 is there already */
	mb1_memory(64 * MIB, MIB, 2);        /* in the middle of RAM */
	assert_true(settle(MB1_LOADED));
	assert_int_equal(boot_info.nr_memory, 4);
	for (uint32_t i = 0; i < 4; i++)
		for (uint32_t j = 0; j < 4; j++) {
			const struct boot_region *a = &boot_info.memory[i],
						 *b = &boot_info.memory[j];

			assert_true(i == j || a->end.a <= b->start.a || b->end.a <= a->start.a);
			assert_true(a->end.a <= 64 * MIB || a->start.a >= 65 * MIB);
		}
	end();
}

static void modules_that_lie_badly_are_empty_and_the_others_keep_their_numbers(void **state)
{
	mb1_begin();
	mb1_memory(64 * MIB, MIB, 2);
	mb1_module(0, 16 * MIB, 20 * MIB);
	mb1_module(1, 19 * MIB, 21 * MIB);                 /* over the first */
	mb1_module(2, 63 * MIB, 66 * MIB);                 /* over reserved memory */
	mb1_module(3, 255 * MIB, 257 * MIB);               /* beyond the end */
	mb1_module(4, 2 * MIB + 0x1000, 2 * MIB + 0x2000); /* over the hypervisor */
	mb1_module(5, 40 * MIB, 30 * MIB);                 /* ends before it begins */
	mb1_module(6, 0xfff00000, 0xffffffff);             /* no memory at all */
	mb1_module(7, 40 * MIB, 41 * MIB);
	assert_true(settle(MB1_LOADED));
	assert_int_equal(boot_info.nr_loaded, 8);
	assert_int_equal(boot_info.loaded[0].size, 4 * MIB);
	for (unsigned i = 1; i < 7; i++)
		assert_int_equal(boot_info.loaded[i].size, 0);
	assert_int_equal(boot_info.loaded[7].size, MIB);
	end();
}

static void more_modules_than_there_is_room_for_are_left_out(void **state)
{
	mb1_begin();
	for (unsigned i = 0; i < BOOT_MAX_MODULES + 5; i++)
		mb1_module(i, (uint32_t)((16 + i) * MIB), (uint32_t)((17 + i) * MIB));
	assert_true(settle(MB1_LOADED));
	assert_int_equal(boot_info.nr_loaded, BOOT_MAX_MODULES);
	end();
}

static void long_command_lines_are_cut(void **state)
{
	mb1_begin();
	memset(memory + 0x20000, 'x', 0x20000);
	put32(INFO + 16, 0x20000);
	for (unsigned i = 0; i < 4; i++) {
		mb1_module(i, (uint32_t)((16 + i) * MIB), (uint32_t)((17 + i) * MIB));
		put32(MODULES + 16 * i + 8, 0x20000);
	}
	assert_true(settle(MB1_LOADED));
	assert_true(strlen(boot_info.cmdline) <= 2048);
	end();
}

/* ---- multiboot2 ----------------------------------------------------------------------------------- */

static uint32_t tag_end;

static uint32_t mb2_tag(uint32_t type, uint32_t size)
{
	uint32_t at = tag_end;

	put32(at, type);
	put32(at + 4, size);
	tag_end += (size + 7) & ~7u;
	put32(INFO, tag_end - INFO);
	return at;
}

static void mb2_begin(void)
{
	uint32_t at;

	begin();
	tag_end = INFO + 8;
	at = mb2_tag(6, 16 + 24);
	put32(at + 8, 24);
	put64(at + 16, MIB);
	put64(at + 24, 255 * MIB);
	put32(at + 32, 1);
}

static void usual_multiboot2_is_taken(void **state)
{
	uint32_t at;

	mb2_begin();
	at = mb2_tag(1, 8 + 5);
	put(at + 8, "quiet", 5);
	at = mb2_tag(3, 16 + 2);
	put32(at + 8, 16 * MIB);
	put32(at + 12, 17 * MIB);
	put(at + 16, "k", 2);
	at = mb2_tag(14, 8 + 20);
	(void)mb2_tag(0, 8);
	assert_true(settle(MB2_LOADED));
	assert_string_equal(boot_info.cmdline, "quiet");
	assert_string_equal(boot_info.loaded[0].cmdline, "k");
	assert_int_equal(boot_info.loaded[0].size, MIB);
	assert_int_equal(loader_rsdp(), at + 8);
	assert_int_equal(boot_info.nr_memory, 1);
	end();
}

static void multiboot2_that_ends_in_the_middle_gives_what_came_before(void **state)
{
	mb2_begin();
	put32(tag_end, 3);
	put32(tag_end + 4, 0x10000000);
	put32(INFO, tag_end + 16 - INFO);
	assert_true(settle(MB2_LOADED));
	assert_int_equal(boot_info.nr_loaded, 0);
	/* No memory map at all. */
	end();
	begin();
	put32(INFO, 24);
	put32(INFO + 8, 3);
	put32(INFO + 12, 4);
	assert_false(loader_read(MB2_LOADED, INFO));
	put32(INFO, 8);
	assert_false(loader_read(MB2_LOADED, INFO));
	end();
}

static void multiboot2_maps_with_strange_entries_are_refused(void **state)
{
	begin();
	tag_end = INFO + 8;
	put32(mb2_tag(6, 16 + 24) + 8, 0); /* entries of 0 bytes */
	put32(mb2_tag(6, 12) + 8, 24);     /* shorter than its own head */
	(void)mb2_tag(0, 8);
	assert_true(loader_read(MB2_LOADED, INFO));
	assert_int_equal(boot_info.nr_memory, 0);
	end();
}

/* ---- PVH ------------------------------------------------------------------------------------------ */

static void pvh_is_taken_or_refused_by_its_lists(void **state)
{
	struct hvm_start_info s = {
		.magic = XEN_HVM_START_MAGIC_VALUE,
		.version = 1,
		.nr_modules = 1,
		.modlist_paddr = MODULES,
		.memmap_paddr = MAP,
		.memmap_entries = 1,
		.rsdp_paddr = 0xe0000,
	};
	const struct hvm_memmap_table_entry map = { .addr = MIB, .size = 255 * MIB, .type = 1 };
	struct hvm_modlist_entry mod = { .paddr = 16 * MIB, .size = MIB };

	begin();
	put(INFO, &s, sizeof(s));
	put(MAP, &map, sizeof(map));
	put(MODULES, &mod, sizeof(mod));
	assert_true(settle(XEN_HVM_START_MAGIC_VALUE));
	assert_int_equal(boot_info.loaded[0].size, MIB);
	assert_int_equal(loader_rsdp(), 0xe0000);

	end();
	begin();
	mod.size = ~0ull; /* wraps */
	put(INFO, &s, sizeof(s));
	put(MAP, &map, sizeof(map));
	put(MODULES, &mod, sizeof(mod));
	assert_true(settle(XEN_HVM_START_MAGIC_VALUE));
	assert_int_equal(boot_info.loaded[0].size, 0);

	end();
	begin();
	s.memmap_paddr = 1ull << 40;
	put(INFO, &s, sizeof(s));
	assert_false(loader_read(XEN_HVM_START_MAGIC_VALUE, INFO));
	s.version = 0;
	put(INFO, &s, sizeof(s));
	assert_false(loader_read(XEN_HVM_START_MAGIC_VALUE, INFO));
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual_multiboot_is_taken),
		cmocka_unit_test(information_outside_of_memory_is_refused),
		cmocka_unit_test(no_memory_map_is_refused),
		cmocka_unit_test(a_module_list_outside_of_memory_is_left_out),
		cmocka_unit_test(an_absurd_map_ends_where_it_stops_making_sense),
		cmocka_unit_test(too_many_entries_are_left_out),
		cmocka_unit_test(ram_that_is_listed_twice_or_reserved_counts_once_or_not),
		cmocka_unit_test(modules_that_lie_badly_are_empty_and_the_others_keep_their_numbers),
		cmocka_unit_test(more_modules_than_there_is_room_for_are_left_out),
		cmocka_unit_test(long_command_lines_are_cut),
		cmocka_unit_test(usual_multiboot2_is_taken),
		cmocka_unit_test(multiboot2_that_ends_in_the_middle_gives_what_came_before),
		cmocka_unit_test(multiboot2_maps_with_strange_entries_are_refused),
		cmocka_unit_test(pvh_is_taken_or_refused_by_its_lists),
	};

	return cmocka_run_group_tests(tests, map_memory, NULL);
}
