/* SPDX-License-Identifier: Apache-2.0 */
/* Hypercalls work: a guest sees Xen 4.17 by its version, and unknown calls are refused. */
#include "guest.h"

#include <xen/version.h>

void guest_test(void)
{
	char extra[16];

	CHECK(HYPERCALL(xen_version, XENVER_version, 0), 4 << 16 | 17, "the version is 4.17");
	CHECK(HYPERCALL(xen_version, XENVER_extraversion, extra), 0, "there is an extraversion");
	CHECK(hypercall(61, 0, 0, 0, 0, 0), -38, "an unknown hypercall gives ENOSYS");
	CHECK(hypercall(~0ul, 0, 0, 0, 0, 0), -38, "a hypercall with a wild number gives ENOSYS");
}
