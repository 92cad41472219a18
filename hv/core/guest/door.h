/* SPDX-License-Identifier: Apache-2.0 */
/* Between copy.c, which alone translates guest virtual addresses, and pin.c. */
#ifndef CORE_GUEST_DOOR_H
#define CORE_GUEST_DOOR_H

#include <hv/addr.h>
#include <hv/compiler.h>

struct vcpu;

/* A reference to the frame behind `va`, writable. R_BAD_GUEST_ADDRESS. */
MUST_USE int guest_hold(struct vcpu *v, gva_t va, mfn_t *m);

#endif
