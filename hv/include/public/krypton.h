/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interfaces that only Krypton has. A guest that knows only Xen never calls them; on Xen they are -ENOSYS.
 *
 * Hypercall 63 copies the last refusal of the calling vCPU into a buffer:
 *
 *	long hypercall(63, void *buffer, uint64_t size)
 *
 * size is at least sizeof(struct krypton_refusal) and may be larger. Returns 0, -EINVAL (buffer too
 * small) or -EFAULT.
 *
 * Hypercall 62 copies from the caller's memory into RAM of a domain that it may manage (who may map its frames may do this):
 *
 *	long hypercall(62, domid_t domain, uint64_t address, const void *data, uint64_t size)
 *
 * address is guest physical. Neither side need be aligned. What was copied is in memory, not only in the caches, and nothing
 * of it is left in them (a guest that begins with its caches off reads it), and counts as written where writes are logged.
 * Returns how many bytes were copied: at least 1 (0 for a size of 0) and often fewer than size, for the call does a bounded step:
 * go on behind them. When nothing was copied: -ESRCH (no such domain), -EPERM (it is not the caller's to manage),
 * -EFAULT (the page at data is not mapped for the moment: touch it and try again), -EINVAL (there is no RAM of the domain's own at address,
 * or it may not be written: grants, foreign frames and device registers are none), -ENOSYS also by 32-bit code.
 */
#ifndef PUBLIC_KRYPTON_H
#define PUBLIC_KRYPTON_H

#include <stdint.h>

#define KRYPTON_HYPERCALL_FILL   62
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
