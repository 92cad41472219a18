/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI tables: the firmware's, good and corrupt, as the hypervisor reads them; and those that it writes for the domain that owns the machine,
 * read back by the same code.
 */
#include "sim.h"

#include "../../hv/arch/x86_64/boot/acpi_dom0.h"
#include <hv/acpi.h>
#include <hv/log.h>
#include <hv/option.h>

#define BASE 0xf0000ull
#define ROOM 0x10000u

static uint8_t firmware[ROOM];

static const void *map(uint64_t pa, uint64_t size)
{
	return pa >= BASE && pa < BASE + ROOM && size <= BASE + ROOM - pa ? firmware + (pa - BASE)
									  : NULL;
}

static uint8_t sum(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *b++);
	return s;
}

/* A table of `length` bytes with these after the header. */
static struct acpi_header *table(uint64_t pa, const char *signature, uint32_t length,
				 const void *body, size_t n)
{
	struct acpi_header *h = (struct acpi_header *)(firmware + (pa - BASE));

	memset(h, 0, length);
	memcpy(h->signature, signature, 4);
	h->length = length;
	memcpy(h + 1, body, n);
	h->checksum = (uint8_t)-sum(h, length);
	return h;
}

/* ACPI 1.0's root, with an RSDT of four tables. */
#define RSDP (BASE + 0x100)
#define RSDT (BASE + 0x200)
#define MADT (BASE + 0x1000)
#define FADT (BASE + 0x2000)
#define HPET (BASE + 0x3000)
#define MCFG (BASE + 0x4000)

static void machine_firmware(void)
{
	static const uint32_t list[] = { MADT, FADT, HPET, MCFG };
	uint8_t root[20] = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' };
	uint32_t rsdt = RSDT;

	memset(firmware, 0, sizeof(firmware));
	memcpy(root + 16, &rsdt, 4);
	root[8] = (uint8_t)-sum(root, sizeof(root));
	memcpy(firmware + (RSDP - BASE), root, sizeof(root));
	table(RSDT, "RSDT", sizeof(struct acpi_header) + sizeof(list), list, sizeof(list));
	table(MADT, "APIC", 64, "", 0);
	table(FADT, "FACP", 116, "", 0);
	table(HPET, "HPET", 56, "", 0);
	table(MCFG, "MCFG", 60, "", 0);
	sim_boot(1, 16 << 20, 1);
	options.loglvl = (struct log_threshold){ LOG_WARNING, LOG_WARNING };
}

static void good_tables_are_found(void **state)
{
	uint64_t at;

	machine_firmware();
	assert_true(acpi_init(0, map));
	assert_int_equal(acpi_rsdp_address(), RSDP);
	assert_non_null(acpi_table("MCFG", 0));
	assert_null(acpi_table("MCFG", 1));
	assert_int_equal(acpi_table_address("HPET", 0), HPET);
	assert_non_null(acpi_table_nth(3, &at));
	assert_int_equal(at, MCFG);
	assert_null(acpi_table_nth(4, &at));
	sim_shutdown();
}

static void a_table_with_a_wrong_checksum_is_named_and_left_out(void **state)
{
	machine_firmware();
	firmware[MADT - BASE + 50] ^= 1;
	assert_true(acpi_init(0, map));
	assert_null(acpi_table("APIC", 0));
	assert_non_null(acpi_table("FACP", 0));
	assert_true(sim_console_has("ACPI: table at f1000: wrong checksum"));
	sim_shutdown();
}

static void a_table_of_absurd_length_is_named_and_left_out(void **state)
{
	static const uint32_t lengths[] = { 0, 35, ~0u, 17u << 20 };

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		machine_firmware();
		memcpy(firmware + (HPET - BASE) + 4, &lengths[i], 4);
		assert_true(acpi_init(0, map));
		assert_null(acpi_table("HPET", 0));
		assert_true(sim_console_has("ACPI: table HPET at f3000 has length"));
		sim_shutdown();
	}
}

static void a_table_outside_memory_is_said(void **state)
{
	uint32_t far = 0xfffffff0;
	uint32_t whole = ROOM;

	machine_firmware();
	memcpy(firmware + (RSDT - BASE) + sizeof(struct acpi_header), &far, 4);
	firmware[RSDT - BASE + 9] = 0;
	firmware[RSDT - BASE + 9] = (uint8_t)-sum(firmware + (RSDT - BASE),
						  sizeof(struct acpi_header) + 16);
	memcpy(firmware + (MCFG - BASE) + 4, &whole, 4);
	assert_true(acpi_init(0, map));
	assert_true(sim_console_has("ACPI: a table lies at fffffff0, where there is no memory"));
	assert_true(sim_console_has("ACPI: table at f4000: ends outside memory"));
	sim_shutdown();
}

static void a_broken_root_is_no_acpi(void **state)
{
	machine_firmware();
	firmware[RSDP - BASE + 16] ^= 1;
	assert_false(acpi_init(0, map));
	assert_true(sim_console_has("ACPI: no root pointer"));
	sim_shutdown();
	machine_firmware();
	firmware[RSDT - BASE + 20] ^= 1;
	assert_false(acpi_init(0, map));
	assert_false(acpi_init(BASE + 0x8000, map));
	sim_shutdown();
}

static void records_that_do_not_fit_end_the_list(void **state)
{
	static const uint8_t records[] = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 12, 0,
					   0, 0, 0, 0, 0, 0, 0, 0, 0, 9,  1 };
	const struct acpi_header *h;
	const uint8_t *e;

	machine_firmware();
	h = table(MADT, "APIC", 44 + 14, records, sizeof(records));
	e = acpi_next_entry(h, 44, NULL);
	assert_non_null(e);
	assert_int_equal(e[0], 1);
	assert_null(acpi_next_entry(h, 44, e));
	assert_true(sim_console_has("ACPI: APIC: the record at byte 56 has length 1"));
	sim_shutdown();
}

/* ---- dom0's -------------------------------------------------------------------------------------- */

static struct machine machine_found = {
	.nr_cpus = 2,
	.cpu = { { 0, 7 }, { 4, 9 } },
	.nr_ioapics = 1,
	.ioapic = { { 0xfec00000, 2, 0 } },
	.isa = { [0] = { true, false, false, 2 }, [9] = { true, true, true, 9 } },
	.uart = 0x3f8,
};

static const struct boot_region ram[] = { { { 0x100000 }, { 0x8000000 }, 0 } };

static void keep(const char *signature, uint64_t address)
{
	struct firmware_table *t = &machine_found.table[machine_found.nr_tables++];

	memcpy(t->signature, signature, 4);
	t->address = address;
	t->length = 60;
}

/* Written over the firmware's, and read. */
static bool write_and_read(uint32_t cpus, uint32_t room)
{
	const struct acpi_dom0 in = { &machine_found, ram, ARRAY_SIZE(ram), cpus };
	uint64_t rsdp;

	if (!acpi_dom0(&in, firmware + 0x8000, room, BASE + 0x8000, &rsdp))
		return false;
	assert_true(acpi_init(rsdp, map));
	return true;
}

static void dom0_sees_the_hosts_tables_but_for_the_hidden(void **state)
{
	machine_firmware();
	machine_found.nr_tables = 0;
	keep("APIC", MADT);
	keep("FACP", FADT);
	keep("HPET", HPET);
	keep("IVRS", HPET);
	keep("MCFG", MCFG);
	assert_true(write_and_read(2, 0x4000));
	assert_int_equal(acpi_table_address("FACP", 0), FADT);
	assert_int_equal(acpi_table_address("MCFG", 0), MCFG);
	assert_null(acpi_table("HPET", 0));
	assert_null(acpi_table("IVRS", 0));
	assert_null(acpi_table("APIC", 1));
	assert_int_equal(acpi_table("STAO", 0)->length, 37);
	assert_int_equal(((const uint8_t *)acpi_table("STAO", 0))[36], 1);
	sim_shutdown();
}

static void a_table_in_ram_is_named_and_not_shown(void **state)
{
	machine_firmware();
	machine_found.nr_tables = 0;
	keep("SSDT", 0x200000);
	keep("BGRT", 0xfffe0); /* it ends in RAM */
	assert_true(write_and_read(1, 0x4000));
	assert_null(acpi_table("SSDT", 0));
	assert_true(sim_console_has("ACPI: table SSDT at 200000 lies in RAM"));
	assert_true(sim_console_has("ACPI: table BGRT at fffe0 lies in RAM"));
	sim_shutdown();
}

/* vCPUs bear the numbers of the host's processors, further ones such that none has. */
static void the_madt_lists_vcpus_ioapics_and_overrides(void **state)
{
	static const uint8_t uid[] = { 7, 9, 10 };
	const struct acpi_header *madt;
	const uint8_t *e = NULL;

	machine_firmware();
	machine_found.nr_tables = 0;
	assert_true(write_and_read(3, 0x4000));
	madt = acpi_table("APIC", 0);
	for (unsigned i = 0; i < 3; i++) {
		e = acpi_next_entry(madt, 44, e);
		assert_int_equal(e[0], 0);
		assert_int_equal(e[2], uid[i]);
		assert_int_equal(e[3], 2 * i);
	}
	e = acpi_next_entry(madt, 44, e);
	assert_memory_equal(e, "\x01\x0c\x02\0\0\0\xc0\xfe\0\0\0\0", 12);
	e = acpi_next_entry(madt, 44, e);
	assert_memory_equal(e, "\x02\x0a\0\0\x02\0\0\0\x05\0", 10);
	e = acpi_next_entry(madt, 44, e);
	assert_memory_equal(e, "\x02\x0a\0\x09\x09\0\0\0\x0f\0", 10);
	assert_null(acpi_next_entry(madt, 44, e));
	sim_shutdown();
}

static void without_room_there_are_no_tables(void **state)
{
	uint32_t enough;

	machine_firmware();
	machine_found.nr_tables = 0;
	keep("FACP", FADT);
	for (enough = 0; !write_and_read(130, enough); enough += 8)
		assert_true(enough < 0x4000);
	assert_true(enough > 130 * 8);
	sim_shutdown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_tables_are_found),
		cmocka_unit_test(a_table_with_a_wrong_checksum_is_named_and_left_out),
		cmocka_unit_test(a_table_of_absurd_length_is_named_and_left_out),
		cmocka_unit_test(a_table_outside_memory_is_said),
		cmocka_unit_test(a_broken_root_is_no_acpi),
		cmocka_unit_test(records_that_do_not_fit_end_the_list),
		cmocka_unit_test(dom0_sees_the_hosts_tables_but_for_the_hidden),
		cmocka_unit_test(a_table_in_ram_is_named_and_not_shown),
		cmocka_unit_test(the_madt_lists_vcpus_ioapics_and_overrides),
		cmocka_unit_test(without_room_there_are_no_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
