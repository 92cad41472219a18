/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of PVH guests and the surroundings of the instruction emulator (hv/arch/x86_64/svm/inject.c, hvm/emulate.c, the shipped files), for a vCPU whose
 * registers are variables here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../hv/arch/x86_64/hvm/emulate.c"
#include "../../hv/arch/x86_64/svm/inject.c"

#define RIP    0x401000u
#define VEC_BP 3
#define VEC_OF 4

static struct vmcb block;
static struct vcpu vcpu;
static uint64_t cr4;
static unsigned wanted; /* looks before the next entry */

/* ---- what they ask of the rest, which no test here comes to unless it says so ------------------------ */

void hvm_work(struct vcpu *v)
{
	wanted++;
}

static uint64_t get_cr(struct vcpu *v, unsigned n)
{
	return n == 4 ? cr4 : 0x1000 + n;
}

static bool no_port(struct vcpu *v)
{
	return false;
}

static const struct hvm_ops model = { .get_cr = get_cr, .port_exit = no_port };
const struct hvm_ops *hvm = &model;

#define NOT_ASKED(type, name, ...)              \
	type name(__VA_ARGS__)                  \
	{                                       \
		fail_msg("%s is asked", #name); \
		__builtin_unreachable();        \
	}

NOT_ASKED(bool, hvm_write_cr, struct vcpu *v, unsigned n, uint64_t value)
NOT_ASKED(bool, hvm_port, struct vcpu *v, uint16_t port, unsigned size, bool write, uint32_t *value)
NOT_ASKED(void, hvm_exception, struct vcpu *v, uint8_t vector, int64_t error, uint64_t cr2)
NOT_ASKED(enum emul_result, emulate, struct emul *e)
NOT_ASKED(enum io_result, vpci_mmio, struct vcpu *v, struct io_access *a)
NOT_ASKED(enum walk_result, guest_walk, struct vcpu *v, gva_t va, unsigned access, gpa_t *pa)

/* ---- events ------------------------------------------------------------------------------------------ */

static bool again(uint8_t type, uint8_t vector)
{
	uint64_t e = vector | (uint64_t)type << EVENTINJ_TYPE_SHIFT | EVENTINJ_VALID |
		     EVENTINJ_ERROR | 7ull << 32;

	memset(&block, 0, sizeof(block));
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.arch.vmcb_va = &block;
	wanted = 0;
	block.rip = RIP;
	block.exitintinfo = e;
	svm_event_cut_short(&vcpu);
	assert_int_equal(block.rip, RIP);
	assert_int_equal(svm_event_pending(&vcpu), wanted);
	assert_int_equal(block.eventinj, wanted ? e : 0);
	return wanted;
}

static void events_that_were_cut_short_are_delivered_again(void **state)
{
	assert_true(again(EVENT_INTERRUPT, 0x30));
	assert_true(again(EVENT_INTERRUPT, 3)); /* an interrupt may have any vector */
	assert_true(again(EVENT_NMI, 2));
	for (uint8_t vector = 0; vector < 32; vector++)
		if (vector != VEC_BP && vector != VEC_OF)
			assert_true(again(EVENT_EXCEPTION, vector));
}

static void what_the_instruction_raises_again_is_not(void **state)
{
	assert_false(again(EVENT_EXCEPTION, VEC_BP)); /* INT3 */
	assert_false(again(EVENT_EXCEPTION, VEC_OF)); /* INTO */
	assert_false(again(EVENT_SOFTWARE, 0x80));
	assert_false(again(EVENT_SOFTWARE, 3)); /* CD 03 */
}

/* ---- control registers of an instruction that is emulated ---------------------------------------------- */

static enum emul_result read_cr(unsigned cpl, unsigned n, bool status, uint64_t *value)
{
	struct step s = { .v = &vcpu, .x.cpl = (uint8_t)cpl };
	struct emul e = { .ops = &ops, .ctx = &s };
	enum emul_result res = ops.read_cr(&e, n, status, value);

	if (res == EMUL_FAULT) {
		assert_int_equal(e.fault.vector, VEC_GP);
		assert_int_equal(e.fault.error, 0);
	}
	return res;
}

static void programs_read_no_control_register(void **state)
{
	static const unsigned numbers[] = { 0, 2, 3, 4, 8 };
	uint64_t value;

	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
		assert_int_equal(read_cr(0, numbers[i], false, &value), EMUL_DONE);
		assert_int_equal(value, get_cr(&vcpu, numbers[i]));
		for (unsigned cpl = 1; cpl < 4; cpl++)
			assert_int_equal(read_cr(cpl, numbers[i], false, &value), EMUL_FAULT);
	}
}

static void the_machine_status_word_only_without_umip(void **state)
{
	uint64_t value;

	assert_int_equal(read_cr(3, 0, true, &value), EMUL_DONE);
	assert_int_equal(value, 0x1000);
	cr4 = CR4_UMIP;
	assert_int_equal(read_cr(3, 0, true, &value), EMUL_FAULT);
	assert_int_equal(read_cr(0, 0, true, &value), EMUL_DONE);
	cr4 = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_that_were_cut_short_are_delivered_again),
		cmocka_unit_test(what_the_instruction_raises_again_is_not),
		cmocka_unit_test(programs_read_no_control_register),
		cmocka_unit_test(the_machine_status_word_only_without_umip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
