/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated architecture's part of a domain: one frame, as a real interrupt controller needs. */
#ifndef ASM_DOMAIN_H
#define ASM_DOMAIN_H

#include <stdint.h>

struct arch_domain {
	void *frame; /* [c] from the pool */
};

#endif
