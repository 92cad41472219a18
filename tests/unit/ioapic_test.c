/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of a virtual IO-APIC, over lines that only remember what they were told. */
#include "sim.h"

#include "../../hv/arch/x86_64/hvm/ioapic.h"

#define PINS   24u
#define SELECT 0x00
#define WINDOW 0x10
#define EOI    0x40

static struct {
	bool open[IOAPIC_MAX_PINS], level[IOAPIC_MAX_PINS], low[IOAPIC_MAX_PINS];
	bool refuse;
	unsigned opened, ended[IOAPIC_MAX_PINS], sent;
	uint32_t entry;
	uint8_t dest;
} line;

static bool open_line(void *ctx, unsigned pin, bool level, bool low)
{
	assert_ptr_equal(ctx, &line);
	if (line.refuse)
		return false;
	line.opened++;
	line.open[pin] = true;
	line.level[pin] = level;
	line.low[pin] = low;
	return true;
}

static void close_line(void *ctx, unsigned pin)
{
	line.open[pin] = false;
}

static void ended(void *ctx, unsigned pin)
{
	line.ended[pin]++;
}

static void send(void *ctx, uint32_t entry, uint8_t dest)
{
	line.sent++;
	line.entry = entry;
	line.dest = dest;
}

static const struct ioapic_ops ops = {
	.open = open_line,
	.close = close_line,
	.ended = ended,
	.send = send,
};

static struct ioapic chip(void)
{
	struct ioapic a = { .ops = &ops, .ctx = &line, .id = 3, .pins = PINS };

	memset(&line, 0, sizeof(line));
	ioapic_reset(&a);
	return a;
}

static uint32_t get(struct ioapic *a, uint32_t reg)
{
	ioapic_write(a, SELECT, reg);
	return ioapic_read(a, WINDOW);
}

static void set(struct ioapic *a, uint32_t reg, uint32_t value)
{
	ioapic_write(a, SELECT, reg);
	ioapic_write(a, WINDOW, value);
}

static void set_entry(struct ioapic *a, unsigned pin, uint64_t e)
{
	set(a, 0x11 + 2 * pin, (uint32_t)(e >> 32));
	set(a, 0x10 + 2 * pin, (uint32_t)e);
}

static void it_says_what_it_is_and_all_pins_are_masked(void **state)
{
	struct ioapic a = chip();

	assert_int_equal(get(&a, 0), 3u << 24);
	assert_int_equal(get(&a, 1), (PINS - 1) << 16 | 0x20);
	for (unsigned i = 0; i < PINS; i++)
		assert_int_equal(get(&a, 0x10 + 2 * i), ENTRY_MASKED);
	assert_int_equal(get(&a, 0x10 + 2 * PINS), ~0u);
	assert_int_equal(ioapic_read(&a, 0x44), ~0u);
}

static void a_line_is_open_while_its_pin_is_not_masked(void **state)
{
	struct ioapic a = chip();

	set_entry(&a, 5, ENTRY_LEVEL | ENTRY_LOW | 0x31);
	assert_true(line.open[5] && line.level[5] && line.low[5]);
	set_entry(&a, 5,
		  ENTRY_LEVEL | ENTRY_LOW | 0x32); /* another vector: the line stays as it is */
	assert_int_equal(line.opened, 1);
	set_entry(&a, 5, 0x32);
	assert_true(line.open[5] && !line.level[5] && !line.low[5]);
	set_entry(&a, 5, ENTRY_MASKED | 0x32);
	assert_false(line.open[5]);
}

static void a_line_that_cannot_be_had_leaves_its_pin_masked(void **state)
{
	struct ioapic a = chip();

	line.refuse = true;
	set_entry(&a, 4, 0x40);
	assert_int_equal(get(&a, 0x18), ENTRY_MASKED | 0x40);
	ioapic_raise(&a, 4);
	assert_int_equal(line.sent, 0);
}

static void each_edge_is_a_message(void **state)
{
	struct ioapic a = chip();

	set_entry(&a, 1, 0x0200000000000000ull | 1u << 11 | 0x55);
	ioapic_raise(&a, 1);
	ioapic_raise(&a, 1);
	assert_int_equal(line.sent, 2);
	assert_int_equal(line.entry, 1u << 11 | 0x55);
	assert_int_equal(line.dest, 2);
	assert_int_equal(get(&a, 0x12) & ENTRY_REMOTE, 0);
}

static void a_level_is_one_message_until_its_vector_is_ended(void **state)
{
	struct ioapic a = chip();

	set_entry(&a, 9, ENTRY_LEVEL | 0x60);
	ioapic_raise(&a, 9);
	ioapic_raise(&a, 9);
	assert_int_equal(line.sent, 1);
	assert_true(get(&a, 0x10 + 18) & ENTRY_REMOTE);
	ioapic_ended(&a, 0x61);
	assert_int_equal(line.ended[9], 0);
	ioapic_ended(&a, 0x60);
	assert_int_equal(line.ended[9], 1);
	assert_false(get(&a, 0x10 + 18) & ENTRY_REMOTE);
	ioapic_raise(&a, 9);
	assert_int_equal(line.sent, 2);
	ioapic_write(&a, EOI, 0x60);
	assert_int_equal(line.ended[9], 2);
}

static void a_level_that_meets_a_masked_pin_is_given_back(void **state)
{
	struct ioapic a = chip();

	set_entry(&a, 2, ENTRY_LEVEL | 0x70);
	set_entry(&a, 2, ENTRY_LEVEL | ENTRY_MASKED | 0x70);
	ioapic_raise(&a, 2); /* it was under way */
	assert_int_equal(line.sent, 0);
	assert_int_equal(line.ended[2], 1);
}

static void what_is_in_service_survives_masking_and_ends_as_an_edge(void **state)
{
	struct ioapic a = chip();

	set_entry(&a, 2, ENTRY_LEVEL | 0x70);
	ioapic_raise(&a, 2);
	set_entry(&a, 2, ENTRY_LEVEL | ENTRY_MASKED | 0x70);
	assert_true(get(&a, 0x14) & ENTRY_REMOTE);
	assert_int_equal(line.ended[2], 0);
	set_entry(&a, 2, ENTRY_MASKED | 0x70);
	assert_false(get(&a, 0x14) & ENTRY_REMOTE);
	assert_int_equal(line.ended[2], 1);
}

static void status_bits_cannot_be_written(void **state)
{
	struct ioapic a = chip();

	set_entry(&a, 7, ENTRY_LEVEL | ENTRY_REMOTE | ENTRY_STATUS | 0x80);
	assert_int_equal(get(&a, 0x1e), ENTRY_LEVEL | 0x80);
	ioapic_raise(&a, 7);
	assert_int_equal(line.sent, 1);
}

static uint64_t seed = 88172645463325252ull;

static uint32_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

/* Whatever a guest writes: open is what is not masked, and nothing is in service that is not level-triggered. */
static void wild_accesses_keep_lines_and_pins_in_step(void **state)
{
	struct ioapic a = chip();

	for (unsigned n = 0; n < 200000; n++) {
		unsigned pin = any() % PINS;

		switch (any() % 6) {
		case 0: ioapic_write(&a, any() % 0x1000, any()); break;
		case 1: set(&a, any() & 0xff, any()); break;
		case 2: set_entry(&a, pin, any()); break;
		case 3: ioapic_raise(&a, any() % (2 * PINS)); break;
		case 4: ioapic_ended(&a, (uint8_t)any()); break;
		default: (void)get(&a, any() & 0x1ff); break;
		}
		line.refuse = any() % 8 == 0;
		for (unsigned i = 0; i < PINS; i++) {
			assert_true(line.open[i] || a.entry[i] & ENTRY_MASKED);
			assert_false((a.entry[i] & ENTRY_REMOTE) && !(a.entry[i] & ENTRY_LEVEL));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_what_it_is_and_all_pins_are_masked),
		cmocka_unit_test(a_line_is_open_while_its_pin_is_not_masked),
		cmocka_unit_test(a_line_that_cannot_be_had_leaves_its_pin_masked),
		cmocka_unit_test(each_edge_is_a_message),
		cmocka_unit_test(a_level_is_one_message_until_its_vector_is_ended),
		cmocka_unit_test(a_level_that_meets_a_masked_pin_is_given_back),
		cmocka_unit_test(what_is_in_service_survives_masking_and_ends_as_an_edge),
		cmocka_unit_test(status_bits_cannot_be_written),
		cmocka_unit_test(wild_accesses_keep_lines_and_pins_in_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
