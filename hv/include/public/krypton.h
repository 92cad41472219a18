/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one interface that only Krypton has: hypercall 63 copies the last refusal of the calling vCPU into a buffer.
 *
 *	long hypercall(63, void *buffer, uint64_t size)
 *
 * size is at least sizeof(struct krypton_refusal) and may be larger. Returns 0, -EINVAL (buffer too
 * small) or -EFAULT. A guest that knows only Xen never calls it; on Xen it is -ENOSYS.
 */
#ifndef PUBLIC_KRYPTON_H
#define PUBLIC_KRYPTON_H

#include <stdint.h>

#define KRYPTON_HYPERCALL_REASON 63

struct krypton_refusal {
	uint32_t reason; /* number of the row: stable within one build; 0: nothing was refused yet */
	uint32_t count;  /* refusals of this vCPU so far */
	int32_t error;   /* the error code that was returned, negative */
	uint32_t length; /* of text, without the terminating 0 */
	uint64_t object, limit, actual;
	char text[216]; /* one line, terminated: what, which, limit, advice */
};

#endif
