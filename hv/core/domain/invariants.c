/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must be true of a domain whenever nothing is being done to it. Debug builds only; tests and
 * fuzzers call it between operations, when no other CPU works. Memory, event channels and grants have their
 * parts beside what they are about.
 */
#include <hv/domain.h>

#include <hv/assert.h>

#ifdef HV_DEBUG

static void check_vcpu(const struct domain *d, const struct vcpu *v)
{
	uint32_t pauses = read_once(&v->run) >> 8;

	assert_always(v->domain == d && d->vcpu[v->id] == v, "a vCPU is its domain's");
	assert_always(vcpu_state(v) <= VCPU_WAITING, "a vCPU is in one of its states");
	assert_always(pauses < 1u << 16, "pauses are counted, and few");
	assert_always(!v->unit->queued || !v->unit->running, "a unit waits for a CPU or has one");
	assert_always(vcpu_state(v) != VCPU_RUNNING || v->unit->running,
		      "what is running has a CPU");
	assert_always(!pin_held(&v->info_pin) || frame_of(v->info_pin.mfn)->refs > 0,
		      "a pin holds its frame");
}

void domain_check_invariants(struct domain *d)
{
	struct vcpu *v;

	assert_always(d->state <= DOMAIN_DEAD, "a domain is in one of its states");
	assert_always((d->state >= DOMAIN_DYING) == d->dying, "dying says what the state says");
	assert_always(d->state == DOMAIN_ALIVE || d->pause_count > 0,
		      "only a domain that is alive is not paused");
	assert_always(d->ref.n > 0, "a domain that is looked at is referenced");
	domain_for_each_vcpu(v, d) check_vcpu(d, v);
	domain_mem_check(d);
	evtchn_check(d);
	gnttab_check(d);
}

#endif
