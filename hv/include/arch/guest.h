/* SPDX-License-Identifier: Apache-2.0 */
/* How core/guest/copy.c gets from a guest virtual address to a frame. Only that file calls this. */
#ifndef ARCH_GUEST_H
#define ARCH_GUEST_H

#include <hv/addr.h>
#include <hv/compiler.h>

struct vcpu;

/*
 * Translate one address of the current vCPU through both stages as the guest's kernel would access it (read or
 * write). False: the walk failed or it may not. No reference is taken: the caller does,
 * and checks the owner. Arm: AT S12E1R/W; x86: a software walk.
 */
MUST_USE bool arch_guest_translate(struct vcpu *v, gva_t va, bool write, mfn_t *m);

#endif
