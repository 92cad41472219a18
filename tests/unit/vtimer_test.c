/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a vCPU that waits for its virtual timer is woken (hv/arch/arm/vtimer.c, the shipped file). The virtual counter is behind the
 * physical one as a rule, and ahead of it in a domain that was saved on a machine that had been up for longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../hv/arch/arm/vtimer.c"

#define NEVER (~(uint64_t)0)

struct model_regs model_regs;
struct gic_info gic;
/* A tick is a nanosecond. */
struct host_timer host_timer = { .ns_per_tick = 1ull << 32 };

static struct domain dom;
static struct vcpu vcpu = { .domain = &dom };

void gic_deactivate(uint32_t intid) {}
void vgic_inject_vtimer(struct vcpu *v) {}
void vgic_set_line(struct domain *d, struct vcpu *v, uint32_t intid, bool high) {}

/* It waits for `cval`, at `now`, the virtual counter being `offset` behind: when the host wakes it. */
static uint64_t woken_at(uint64_t cval, uint64_t offset, uint64_t now)
{
	model_regs = (struct model_regs){
		.cntpct_el0 = now,
		.cntv_cval_el0 = cval,
		.cntv_ctl_el0 = CNT_CTL_ENABLE,
	};
	dom.arch.cntvoff = offset;
	vcpu.state = VCPU_BLOCKED;
	vcpu.arch.vtimer.wake.expires = 0;
	vtimer_save(&vcpu);
	assert_int_not_equal(vcpu.arch.vtimer.wake.expires, 0);
	return vcpu.arch.vtimer.wake.expires - 1;
}

static void a_wait_ends_when_the_virtual_counter_says_so(void **state)
{
	assert_int_equal(woken_at(1500, 0, 1000), 1500);
	assert_int_equal(woken_at(1500, 700, 1000), 2200);
	assert_in_range(woken_at(200, 700, 1000), 0, 1000); /* it is over */
	assert_in_range(woken_at(300, 700, 1000), 0, 1000);
}

static void so_does_one_of_a_counter_that_is_ahead(void **state)
{
	/* It stands at 9000. */
	const uint64_t offset = (uint64_t)-8000;

	assert_int_equal(woken_at(9500, offset, 1000), 1500);
	assert_in_range(woken_at(9000, offset, 1000), 0, 1000);
	assert_in_range(woken_at(10, offset, 1000), 0, 1000);
}

static void what_is_too_far_away_is_never(void **state)
{
	assert_true(woken_at(NEVER, 0, 1000) > NEVER / 2);
	assert_true(woken_at(NEVER, 700, 1000) > NEVER / 2);
	assert_true(woken_at(NEVER - 1, (uint64_t)-8000, 1000) > NEVER / 2);
	assert_true(woken_at(NEVER / 2, 700, NEVER / 2 + 100) > NEVER / 2);
}

static void who_can_run_is_not_woken(void **state)
{
	model_regs.cntv_ctl_el0 = CNT_CTL_ENABLE;
	vcpu.state = VCPU_READY;
	vcpu.arch.vtimer.wake.expires = 0;
	vtimer_save(&vcpu);
	assert_int_equal(vcpu.arch.vtimer.wake.expires, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_ends_when_the_virtual_counter_says_so),
		cmocka_unit_test(so_does_one_of_a_counter_that_is_ahead),
		cmocka_unit_test(what_is_too_far_away_is_never),
		cmocka_unit_test(who_can_run_is_not_woken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
