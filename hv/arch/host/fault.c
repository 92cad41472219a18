/* SPDX-License-Identifier: Apache-2.0 */
/* Injected failures: at the nth opportunity from when the test asked, or one in n. */
#include "internal.h"

bool fault_strikes(enum fault_point p)
{
	bool now = false;

	if (read_once(&sim.nth[p]) && __atomic_sub_fetch(&sim.nth[p], 1, __ATOMIC_RELAXED) == 0)
		now = true;
	if (sim.one_in[p] && sim_random(sim.one_in[p]) == 0)
		now = true;
	if (now)
		__atomic_fetch_add(&sim.failures[p], 1, __ATOMIC_RELAXED);
	return now;
}

void sim_fail_nth(enum fault_point p, uint64_t n)
{
	sim.nth[p] = n;
}

void sim_fail_one_in(enum fault_point p, uint64_t n)
{
	sim.one_in[p] = n;
}

uint64_t sim_failures(enum fault_point p)
{
	return sim.failures[p];
}

void sim_spurious_kick(unsigned n)
{
	sim.spurious = n;
}
