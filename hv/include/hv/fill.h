/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every architecture does alike when it fills a boot-time domain (boot/fill.c): memory, modules, PV devices. Each call is one bounded
 * step; steps that go on keep their place in b->progress.
 */
#ifndef HV_FILL_H
#define HV_FILL_H

#include <hv/boot.h>

struct range {
	uint64_t start, size; /* bytes */
};

/*
 * Populate some of the RAM banks of `b` (guest physical, ascending; with static memory one for each of its ranges) in the largest
 * pages that fit. -ERR_RESTART until all is there. Not for direct-mapped domains without static memory.
 */
MUST_USE int fill_memory_step(struct boot_domain *b, struct domain *d, const struct range *bank,
			      uint32_t nr_banks);
/* The largest order of blocks that `bytes` holds. */
unsigned fill_order_in(uint64_t bytes);

/* The smallest order of frames that holds `bytes`. */
unsigned fill_order_for(uint64_t bytes);

/* Write to guest memory, visible also to a guest that starts with its caches off. */
MUST_USE int fill_bytes(struct domain *d, uint64_t to, const void *from, uint64_t size);
/* The next piece of `size` bytes at `from` to `to`; 0: that was the last. */
MUST_USE int fill_copy_step(struct boot_domain *b, struct domain *d, uint64_t to, const void *from,
			    uint64_t size);
/* The bytes of a module: mapped while they are reserved. */
const void *fill_module(const struct boot_module *m);

/* The console's page at `g` and port, which we serve, and a port for whoever comes to serve the store. */
MUST_USE int fill_pv_devices(struct boot_domain *b, struct domain *d, gfn_t g);

#endif
