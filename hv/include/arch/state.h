/* SPDX-License-Identifier: Apache-2.0 */
/* The architecture's part of a domain's state: its types of records (hv/state.h), in the order of their codes. */
#ifndef ARCH_STATE_H
#define ARCH_STATE_H

#include <hv/state.h>

struct arch_state {
	uint16_t machine; /* KRYPTON_MACHINE_* */
	uint16_t nr;      /* 0: states can be neither saved nor loaded here */
	const struct state_type *type;
	/*
	 * Its records are Xen's: they come first, the first one is the header instead of Krypton's, and tools may pass any of the others alone.
	 */
	bool xen;
};

extern const struct arch_state arch_state;

#endif
