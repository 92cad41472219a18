/* SPDX-License-Identifier: Apache-2.0 */
/* Memory goes and comes: what was given up is not there, what comes back is empty, limits hold. */
#include "machine.h"

#include <xen/memory.h>

#define N     64
#define FIRST RAM_FAR

static xen_pfn_t list[N];

/* Not inlined: the compiler would fold the numbers into absolute addresses, and the image is not linked at its own. */
static __attribute__((noinline)) void name(xen_pfn_t first, xen_pfn_t step)
{
	for (unsigned i = 0; i < N; i++)
		list[i] = first + i * step;
}

static long change(unsigned op)
{
	struct xen_memory_reservation r = { .nr_extents = N, .domid = DOMID_SELF };

	set_xen_guest_handle(r.extent_start, list);
	return HYPERCALL(memory_op, op, &r);
}

static long frames(void)
{
	domid_t self = DOMID_SELF;

	return HYPERCALL(memory_op, XENMEM_current_reservation, &self);
}

void guest_test(void)
{
	long all = frames();

	CHECK_TRUE(all > N, "there is memory");
	for (unsigned round = 0; round < 5; round++) {
		name(FIRST >> 12, 3);
		for (unsigned i = 0; i < N; i++) {
			*(volatile uint64_t *)(list[i] << 12) = 0x5555;
		}
		CHECK(change(XENMEM_decrease_reservation), N, "all given up");
		CHECK(frames(), all - N, "and counted");
		CHECK_TRUE(NOTHING_AT(FIRST), "it is gone");
		CHECK_TRUE(!NOTHING_AT(FIRST + 4096), "its neighbour is not");
		CHECK(change(XENMEM_populate_physmap), N, "all back");
		CHECK(frames(), all, "and counted");
		for (unsigned i = 0; i < N; i++)
			CHECK(*(volatile uint64_t *)(list[i] << 12), 0, "empty");
	}
	/* More than one may have. */
	name(0x80000000ul >> 12, 1);
	CHECK_TRUE(change(XENMEM_populate_physmap) <= 1, "not beyond the maximum");
	name(~0ul, ~0ul);
	CHECK_TRUE(change(XENMEM_populate_physmap) <= 0, "nor at wild places");
	CHECK_TRUE(change(XENMEM_decrease_reservation) <= 0, "nor from them");
}
