/* SPDX-License-Identifier: Apache-2.0 */
/* Which barriers an x86 machine gets, by its CPUID leaves and spec-ctrl=; what guests see of them; what the log says. */
#include "sim.h"
#include <stdio.h>
#include <hv/option.h>

#include "../../hv/arch/x86_64/include/asm/msr.h"
#include "../../hv/arch/x86_64/include/asm/speculation.h"

#define IBPB           (1u << 12)
#define IBRS           (1u << 14)
#define STIBP          (1u << 15)
#define IBRS_ALWAYS    (1u << 16)
#define STIBP_ALWAYS   (1u << 17)
#define IBRS_PREFER    (1u << 18)
#define IBRS_SAME      (1u << 19)
#define SSBD           (1u << 24)
#define VIRT_SSBD      (1u << 25)
#define BTC_NO         (1u << 29)
#define IBPB_RET       (1u << 30)
#define HYPERVISOR     (1u << 31)
#define V_SPEC_CTRL    (1u << 20)
#define LFENCE         (1u << 2)
#define AUTOMATIC_IBRS (1u << 8)

/* The leaves as such CPUs have them with their vendor's microcode; other bits of the words are left out. */
static const struct x86_identity k10 = { .signature = 0x00100f42 };
static const struct x86_identity hammer = { .signature = 0x00020f32 };
static const struct x86_identity zen1 = { .signature = 0x00800f12, .controls = IBPB };
static const struct x86_identity zen2 = {
	.signature = 0x00830f10, .controls = IBPB | IBRS | STIBP | STIBP_ALWAYS | IBRS_PREFER | SSBD
};
static const struct x86_identity zen3 = {
	.signature = 0x00a00f11,
	.controls = IBPB | IBRS | STIBP | STIBP_ALWAYS | IBRS_PREFER | IBRS_SAME | SSBD | BTC_NO,
	.svm = V_SPEC_CTRL,
};
static const struct x86_identity zen4 = {
	.signature = 0x00a10f11,
	.controls = IBPB | IBRS | STIBP | STIBP_ALWAYS | IBRS_PREFER | IBRS_SAME | SSBD | BTC_NO |
		    IBPB_RET,
	.svm = V_SPEC_CTRL,
	.features2 = LFENCE | AUTOMATIC_IBRS,
};
/* QEMU translating: no controls. */
static const struct x86_identity tcg = { .signature = 0x00800f12,
					 .features = HYPERVISOR,
					 .below = { 0x54474354, 0x43544743, 0x47435447 } };

static int setup(void **state)
{
	sim_boot(1, 16 << 20, 1);
	options_parse("");
	return 0;
}

static int teardown(void **state)
{
	sim_shutdown();
	return 0;
}

static struct x86_speculation choose(const struct x86_identity *id, const char *option)
{
	struct x86_speculation s;

	x86_speculation_choose(id, option, &s);
	return s;
}

static void an_emulator_gets_nothing(void **state)
{
	struct x86_speculation s = choose(&tcg, "auto");

	assert_true(s.emulated);
	assert_false(s.ibpb || s.automatic_ibrs || s.fill_returns || s.guest_pred_cmd ||
		     s.guest_spec_ctrl);
	assert_int_equal(s.spec_ctrl, 0);
	assert_int_equal(s.guest_leaf, 0);
	assert_int_equal(s.lfence, LFENCE_LEFT); /* no register is written */
	assert_true(choose(&tcg, "rsb").fill_returns);
}

/* Somebody else below us, and the same words where nobody is below. */
static void others_below_are_no_emulator(void **state)
{
	struct x86_identity id = tcg;

	id.features = 0;
	assert_false(choose(&id, "auto").emulated);
	assert_true(choose(&id, "auto").fill_returns);
	for (unsigned i = 0; i < 3; i++) {
		id = tcg;
		id.below[i] ^= 1;
		assert_false(choose(&id, "auto").emulated);
		assert_true(choose(&id, "auto").fill_returns);
		assert_int_equal(choose(&id, "auto").lfence, LFENCE_LEFT);
	}
}

static void lfence_is_made_to_serialise_where_it_does_not(void **state)
{
	struct x86_identity id = { .signature = 0x00200f31 }; /* family 11h */

	assert_int_equal(choose(&k10, "auto").lfence, LFENCE_SET);
	assert_int_equal(choose(&zen3, "auto").lfence, LFENCE_SET);
	assert_int_equal(choose(&zen4, "auto").lfence, LFENCE_ALWAYS);
	assert_int_equal(choose(&hammer, "auto").lfence, LFENCE_ALWAYS);
	assert_int_equal(choose(&id, "auto").lfence, LFENCE_ALWAYS);
	assert_int_equal(choose(&zen1, "no").lfence,
			 LFENCE_SET); /* the hypervisor's own code counts on it */
}

static void the_barrier_is_used_where_the_cpu_has_it(void **state)
{
	assert_false(choose(&k10, "auto").ibpb);
	assert_true(choose(&zen1, "auto").ibpb);
	assert_true(choose(&zen4, "auto").ibpb);
	assert_false(choose(&k10, "ibpb=yes").ibpb);
	assert_false(choose(&zen1, "ibpb=no").ibpb);
	assert_false(choose(&zen1, "no-ibpb").ibpb);
}

static void ibrs_is_automatic_where_it_can_be(void **state)
{
	struct x86_speculation s = choose(&zen4, "auto");

	assert_true(s.automatic_ibrs);
	assert_int_equal(s.spec_ctrl, SPEC_CTRL_STIBP);
	assert_int_equal(s.at_exit, 0);
	assert_false(s.fill_returns); /* the exit clears them */
	s = choose(&zen4, "no-ibrs");
	assert_false(s.automatic_ibrs);
	assert_int_equal(s.spec_ctrl & SPEC_CTRL_IBRS, 0);
	assert_true(s.fill_returns);
}

static void ibrs_that_is_not_always_on_is_written_at_exits(void **state)
{
	struct x86_identity id = zen3;
	struct x86_speculation s = choose(&zen3, "auto");

	assert_int_equal(s.spec_ctrl, SPEC_CTRL_IBRS | SPEC_CTRL_STIBP);
	assert_int_equal(s.at_exit, s.spec_ctrl);
	assert_true(s.fill_returns);
	assert_true(choose(&zen3, "rsb=no").fill_returns); /* one way through the exit does both */
	id.controls |= IBRS_ALWAYS;
	assert_int_equal(choose(&id, "auto").at_exit, 0);
	assert_true(choose(&id, "auto").spec_ctrl & SPEC_CTRL_IBRS);
	assert_false(choose(&id, "rsb=no").fill_returns);
	id.controls &= ~(IBRS_ALWAYS | IBRS_PREFER); /* nothing says that it is worth its price */
	assert_int_equal(choose(&id, "auto").spec_ctrl, SPEC_CTRL_STIBP);
	assert_true(choose(&id, "ibrs").spec_ctrl & SPEC_CTRL_IBRS);
}

static void without_a_register_for_each_guest_ibrs_must_be_asked_for(void **state)
{
	assert_int_equal(choose(&zen2, "auto").spec_ctrl, SPEC_CTRL_STIBP);
	assert_int_equal(choose(&zen2, "ibrs=yes").spec_ctrl, SPEC_CTRL_IBRS | SPEC_CTRL_STIBP);
	assert_int_equal(choose(&zen2, "ibrs=yes").at_exit, SPEC_CTRL_IBRS | SPEC_CTRL_STIBP);
	assert_int_equal(choose(&zen1, "ibrs=yes,stibp,ssbd").spec_ctrl, 0);
	assert_int_equal(choose(&zen2, "ssbd,no-stibp").spec_ctrl, SPEC_CTRL_SSBD);
}

static void guests_see_what_they_can_use(void **state)
{
	struct x86_identity id = zen3;
	struct x86_speculation s = choose(&zen1, "auto");

	assert_true(s.guest_pred_cmd);
	assert_false(s.guest_spec_ctrl);
	assert_int_equal(s.guest_leaf, IBPB);
	s = choose(&zen2, "ibrs=yes"); /* nobody would swap the register */
	assert_false(s.guest_spec_ctrl);
	assert_int_equal(s.guest_leaf, IBPB);
	s = choose(&zen3, "auto");
	assert_true(s.guest_spec_ctrl);
	assert_int_equal(s.guest_leaf, zen3.controls);
	assert_int_equal(x86_spec_ctrl_of(s.guest_leaf),
			 SPEC_CTRL_IBRS | SPEC_CTRL_STIBP | SPEC_CTRL_SSBD);
	s = choose(&zen3, "msr-sc=no");
	assert_false(s.guest_pred_cmd || s.guest_spec_ctrl);
	assert_int_equal(s.guest_leaf, BTC_NO);
	assert_int_equal(choose(&zen4, "auto").guest_leaf, zen4.controls);
	id.controls |= VIRT_SSBD; /* its register is handled by nobody */
	assert_int_equal(choose(&id, "auto").guest_leaf, zen3.controls);
}

static void one_word_switches_all_off(void **state)
{
	static const char *const all[] = { "no", "off", "0", "false" };

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		struct x86_speculation s = choose(&zen4, all[i]);

		assert_false(s.ibpb || s.automatic_ibrs || s.fill_returns || s.guest_pred_cmd ||
			     s.guest_spec_ctrl);
		assert_int_equal(s.spec_ctrl, 0);
	}
	assert_true(choose(&zen4, "no,ibpb").ibpb);
	assert_false(choose(&zen4, "no,ibpb").automatic_ibrs);
	assert_true(choose(&zen4, "no,auto").automatic_ibrs);
	assert_false(choose(&zen4, "xen=no").ibpb);
	assert_true(choose(&zen4, "no-xen").guest_spec_ctrl);
}

static void parts_without_meaning_are_named(void **state)
{
	static const char *const wrong[] = { "bti-thunk=retpoline", "md-clear", "no-ibpb=no",
					     "ibpb=perhaps", "abcdefghijklmnopqrstuvwx" };
	char text[80];

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct x86_speculation s, standard = choose(&zen4, "auto");

		snprintf(text, sizeof(text), "ssbd,,%s,no-stibp", wrong[i]);
		s = choose(&zen4, text);
		assert_int_equal(s.spec_ctrl, SPEC_CTRL_SSBD);
		assert_int_equal(s.ibpb, standard.ibpb);
		snprintf(text, sizeof(text), "spec-ctrl: \"%.23s\" is not supported", wrong[i]);
		assert_true(sim_console_has(text));
	}
}

static void assert_line(const struct x86_identity *id, const char *option, const char *expected)
{
	struct x86_speculation s = choose(id, option);
	char line[241];

	x86_speculation_describe(id, &s, line, sizeof(line));
	assert_string_equal(line, expected);
}

static void the_line_says_what_is_and_what_is_not(void **state)
{
	assert_line(&tcg, "auto",
		    "no IBRS, no IBPB, an emulator, which does not speculate, LFENCE as found; "
		    "guests have nothing; "
		    "the CPU lacks automatic IBRS, IBRS, IBPB, STIBP, SSBD, virtual SPEC_CTRL");
	assert_line(&k10, "auto",
		    "no IBRS, no IBPB, return stack filled at exits, LFENCE serialises; guests "
		    "have nothing; "
		    "the CPU lacks automatic IBRS, IBRS, IBPB, STIBP, SSBD, virtual SPEC_CTRL");
	assert_line(&zen3, "auto",
		    "IBRS at exits, IBPB between domains, STIBP, return stack filled at exits, "
		    "LFENCE serialises; "
		    "guests have PRED_CMD, SPEC_CTRL; the CPU lacks automatic IBRS");
	assert_line(&zen4, "ssbd",
		    "automatic IBRS, IBPB between domains, STIBP, SSBD, return stack cleared by "
		    "exits, LFENCE serialises; "
		    "guests have PRED_CMD, SPEC_CTRL");
	assert_line(
	    &zen4,
	    "no", "no IBRS, no IBPB, return stack left to guests, LFENCE serialises; guests have nothing");
}

/* Every combination of the words fits, whatever the machine. */
static void no_line_is_cut(void **state)
{
	static const uint32_t bit[] = { IBPB, IBRS, STIBP, SSBD };
	static const char *const option[] = { "auto", "no", "ibrs,ibpb,stibp,ssbd,rsb",
					      "ibrs,stibp,ssbd,rsb=no" };

	for (unsigned n = 0; n < 1u << 7; n++) {
		struct x86_identity id = n & 64 ? tcg : k10;

		for (unsigned i = 0; i < ARRAY_SIZE(bit); i++)
			id.controls |= n >> i & 1 ? bit[i] : 0;
		id.features2 = n & 16 ? AUTOMATIC_IBRS : 0;
		id.svm = n & 32 ? V_SPEC_CTRL : 0;
		for (unsigned i = 0; i < ARRAY_SIZE(option); i++) {
			struct x86_speculation s = choose(&id, option[i]);
			char line[512];

			x86_speculation_describe(&id, &s, line, sizeof(line));
			assert_in_range(strlen(line), 1, 240);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_emulator_gets_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(others_below_are_no_emulator, setup, teardown),
		cmocka_unit_test_setup_teardown(lfence_is_made_to_serialise_where_it_does_not,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_barrier_is_used_where_the_cpu_has_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(ibrs_is_automatic_where_it_can_be, setup, teardown),
		cmocka_unit_test_setup_teardown(ibrs_that_is_not_always_on_is_written_at_exits,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
		    without_a_register_for_each_guest_ibrs_must_be_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(guests_see_what_they_can_use, setup, teardown),
		cmocka_unit_test_setup_teardown(one_word_switches_all_off, setup, teardown),
		cmocka_unit_test_setup_teardown(parts_without_meaning_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(the_line_says_what_is_and_what_is_not, setup,
						teardown),
		cmocka_unit_test_setup_teardown(no_line_is_cut, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
