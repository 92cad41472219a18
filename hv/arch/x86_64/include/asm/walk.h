/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's own address translation in software (mm/walk.c): the door and the instruction emulator use it. */
#ifndef ASM_WALK_H
#define ASM_WALK_H

#include <hv/addr.h>
#include <hv/compiler.h>

struct domain;
struct vcpu;

enum walk_result { WALK_OK, WALK_NOT_PRESENT, WALK_PROTECTION, WALK_NOT_CANONICAL };

#define WALK_WRITE 1u
#define WALK_USER  2u
#define WALK_FETCH 4u

/* Where `va` leads for an access of this kind by `v`, loaded or off all CPUs. Sets no accessed or dirty bits. */
enum walk_result guest_walk(struct vcpu *v, gva_t va, unsigned access, gpa_t *out);

/* Instruction bytes in one page, each read once. False: not RAM of `d`'s. */
MUST_USE bool guest_code_read(struct domain *d, gpa_t pa, uint8_t *buf, unsigned n);
/* Is RAM that may be written mapped at `g`, in the plainest way? False: p2m_lookup() knows. Under RCU, no lock. */
MUST_USE bool npt_ram(const struct domain *d, gfn_t g, mfn_t *m);

#endif
