/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that says it has crashed is reported, with its registers, and the machine goes on (machine.json: "says"). */
#include "guest.h"

#include <xen/sched.h>

void guest_test(void)
{
	struct sched_shutdown reason = { .reason = SHUTDOWN_crash };

	print("GUEST-TEST PASS\n");
	HYPERCALL(sched_op, SCHEDOP_shutdown, &reason);
	fail("SCHEDOP_shutdown does not return", 0, 1);
}
