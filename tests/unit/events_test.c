/* SPDX-License-Identifier: Apache-2.0 */
/* What a PVH guest is told at an entry (hv/arch/x86_64/hvm/events.c and svm/inject.c, the shipped files), in a control block that is a variable here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The simulated machine has its own. */
#define vcpu_kick                   kick
#define arch_vcpu_raise_upcall      raise_upcall
#define arch_vcpu_interrupt_pending interrupt_pending
#include "../../hv/arch/x86_64/hvm/events.c"
#include "../../hv/arch/x86_64/svm/inject.c"

#define VECTOR 0xf3
#define IF     BIT(9)

static struct vmcb block;
static struct domain domain;
static struct vcpu vcpu;
static uint8_t apic_wants;

static const struct hvm_ops model = {
	.inject = svm_inject,
	.event_pending = svm_event_pending,
	.get_pending = svm_get_pending,
	.drop_pending = svm_drop_pending,
	.nmi_open = svm_nmi_open,
	.inject_nmi = svm_inject_nmi,
	.inject_interrupt = svm_inject_interrupt,
	.want_interrupt_window = svm_want_interrupt_window,
	.watch_priority = svm_watch_priority,
};
const struct hvm_ops *hvm = &model;

/* ---- what they ask of the rest ----------------------------------------------------------------------- */

uint8_t vlapic_deliverable(struct vcpu *v)
{
	return apic_wants;
}

void vlapic_accept(struct vcpu *v, uint8_t vector)
{
	assert_int_equal(vector, apic_wants);
	apic_wants = 0;
}

bool vlapic_requested(const struct vcpu *v)
{
	return apic_wants;
}

bool vlapic_pending(struct vcpu *v)
{
	return apic_wants;
}

bool vlapic_held_back(struct vcpu *v)
{
	return false;
}

void vlapic_latch(struct vcpu *v, uint8_t vector, bool level) {}
void vcpu_kick(struct vcpu *v) {}
void hvm_take_start(struct vcpu *v) {}
void hvm_triple_fault(struct vcpu *v) {}

/* ---- the rules --------------------------------------------------------------------------------------- */

static void begin(void)
{
	memset(&block, 0, sizeof(block));
	vcpu = (struct vcpu){ .domain = &domain, .arch.vmcb_va = &block };
	block.rflags = IF;
	apic_wants = 0;
}

/* What the guest is told at its next entry, which clears its own flag as an interrupt does; 0: nothing. */
static uint8_t entered(void)
{
	uint64_t told;

	if (vcpu.arch.work)
		hvm_deliver(&vcpu);
	told = block.eventinj;
	block.eventinj = 0;
	if (!(told & EVENTINJ_VALID))
		return 0;
	block.rflags &= ~(uint64_t)IF;
	return (uint8_t)told;
}

static void an_interrupt_is_told_once(void **state)
{
	begin();
	apic_wants = VECTOR;
	hvm_work(&vcpu);
	assert_int_equal(entered(), VECTOR);
	assert_int_equal(entered(), 0);
}

/* An entry was prepared and did not happen; the vCPU is saved, and its state loaded again. */
static void what_was_on_its_way_and_is_loaded_again_is_told_once(void **state)
{
	struct hvm_event e;

	begin();
	apic_wants = VECTOR;
	hvm_work(&vcpu);
	hvm_deliver(&vcpu);
	assert_true(svm_get_pending(&vcpu, &e));
	hvm_event_replace(&vcpu, &e);
	assert_int_equal(entered(), VECTOR);
	assert_int_equal(entered(), 0);
}

static void what_was_on_its_way_in_another_state_is_forgotten(void **state)
{
	begin();
	apic_wants = VECTOR;
	hvm_work(&vcpu);
	hvm_deliver(&vcpu);
	hvm_event_replace(&vcpu, NULL);
	assert_int_equal(entered(), 0);
	hvm_exception(&vcpu, 13, 0, 0);
	hvm_event_replace(&vcpu, NULL);
	assert_int_equal(entered(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interrupt_is_told_once),
		cmocka_unit_test(what_was_on_its_way_and_is_loaded_again_is_told_once),
		cmocka_unit_test(what_was_on_its_way_in_another_state_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
