/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of CPUs and nodes in the form that toolstacks use (struct xenctl_bitmap of xen/xen.h). */
#ifndef ABI_CTLMAP_H
#define ABI_CTLMAP_H

#include <hv/bitmap.h>
#include <hv/guest.h>
#include <hv/hypercall.h>
#include <xen/xen.h>

/* Bits beyond MAX_CPUS are ignored; missing ones are 0. -EFAULT class, R_BITMAP_SIZE. */
MUST_USE int ctlmap_get(struct vcpu *v, struct cpuset *s, const struct xenctl_bitmap *m);
/* The caller's whole map is written, what lies beyond MAX_CPUS as 0. */
MUST_USE int ctlmap_put(struct vcpu *v, const struct xenctl_bitmap *m, const struct cpuset *s);

#endif
