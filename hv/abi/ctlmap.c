/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of CPUs as bytes of a caller's, low bit first; the caller says how many bits there are. */
#include "ctlmap.h"

#include <hv/reason.h>

#define SET_BYTES (MAX_CPUS / 8)
/* No machine has so many CPUs; Xen would go on for as long as the caller likes. */
#define MAX_BITS  32768u

_Static_assert(sizeof(struct cpuset) == SET_BYTES, "one bit for each CPU");

static int check_size(const struct xenctl_bitmap *m)
{
	return m->nr_bits > MAX_BITS ? refuse(R_BITMAP_SIZE, 0, MAX_BITS, m->nr_bits) : 0;
}

int ctlmap_get(struct vcpu *v, struct cpuset *s, const struct xenctl_bitmap *m)
{
	uint32_t bytes = (m->nr_bits + 7) / 8;
	uint8_t in[SET_BYTES];
	int err;

	cpuset_clear_all(s);
	err = check_size(m);
	if (!err)
		err = guest_read(v, in, handle_gva(m->bitmap), MIN(bytes, SET_BYTES));
	for (uint32_t i = 0; !err && i < MIN(m->nr_bits, MAX_CPUS); i++)
		if (in[i / 8] >> i % 8 & 1)
			cpuset_set(s, i);
	return err;
}

int ctlmap_put(struct vcpu *v, const struct xenctl_bitmap *m, const struct cpuset *s)
{
	uint32_t bytes = (m->nr_bits + 7) / 8;
	int err = check_size(m);

	for (uint32_t at = 0; !err && at < bytes; at += SET_BYTES) {
		uint8_t out[SET_BYTES] = { 0 };

		for (uint32_t i = 0; at == 0 && i < MIN(m->nr_bits, MAX_CPUS); i++)
			if (cpuset_has(s, i))
				out[i / 8] |= (uint8_t)(1u << i % 8);
		err = guest_write(v, gva_add(handle_gva(m->bitmap), at), out,
				  MIN(bytes - at, SET_BYTES));
	}
	return err;
}
