/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole scenarios on the simulated machine: several domains at once, well-behaved and hostile, over many
 * seeds. Each ends with sim_shutdown(): no frame is lost, no lock kept, no stale translation was used.
 */
#ifndef TESTS_UNIT_SCENARIO_H
#define TESTS_UNIT_SCENARIO_H

#include "sim.h"

#ifdef HV_TSAN
#define SEEDS   3u
#define TIME(n) ((n)*200ull) /* the host's, with a sanitizer and other work */
#else
#define SEEDS   25u
#define TIME(n) (n)
#endif

#define FOR_EACH_SEED(s) for (uint64_t s = sim_first_seed(); s <= sim_last_seed(SEEDS); s++)

UNUSED static unsigned cpus_of(uint64_t seed)
{
	return 1 + (unsigned)(seed % 4);
}

#endif
