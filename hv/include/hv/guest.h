/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door: the only way into guest memory. Everything that comes in is copied once and judged
 * once. All of it may be called with any lock below RANK_POOL held, and never waits.
 *
 * What must stay mapped (shared_info, vcpu_info, control arrays, ring pages) is a pin: a counted
 * frame and its only mapping, touched through one-shot accessors (hv/atomic.h).
 */
#ifndef HV_GUEST_H
#define HV_GUEST_H

#include <hv/addr.h>
#include <hv/compiler.h>

struct vcpu;
struct domain;

/*
 * Copy `len` bytes out of (into) the memory of `v`, which must be the current vCPU. All or
 * nothing for reads; a write may stop at a page it cannot write, so ask guest_writable() first where it
 * matters. -EFAULT (R_BAD_GUEST_ADDRESS): a page is absent or not permitted.
 */
MUST_USE int guest_read(struct vcpu *v, void *dst, gva_t src, size_t len);
MUST_USE int guest_write(struct vcpu *v, gva_t dst, const void *src, size_t len);
/* Would guest_write() succeed? Asked before an operation starts, so that its answer can be delivered. */
MUST_USE int guest_writable(struct vcpu *v, gva_t dst, size_t len);

#define guest_get(v, obj, src)  guest_read((v), (obj), (src), sizeof(*(obj)))
/* The same, of a structure that will be answered in its place: guest_writable() as well. */
#define guest_fetch(v, obj, at) guest_fetch_bytes((v), (obj), (at), sizeof(*(obj)))
MUST_USE int guest_fetch_bytes(struct vcpu *v, void *dst, gva_t at, size_t len);
#define guest_put(v, dst, obj) guest_write((v), (dst), (obj), sizeof(*(obj)))

/*
 * The same by guest physical address and for any domain: the builder, ring servers, device
 * emulation. Only RAM of `d` itself. -EFAULT (R_GFN_NOT_RAM).
 */
MUST_USE int guest_phys_read(struct domain *d, void *dst, gpa_t src, size_t len);
MUST_USE int guest_phys_write(struct domain *d, gpa_t dst, const void *src, size_t len);

/*
 * From the memory of `v`, which must be the current vCPU, to RAM of `d`, and there out of the caches: one bounded step. How many bytes of
 * `len` were copied, or, when it is none, R_BAD_GUEST_ADDRESS or R_FILL_NO_RAM. The caller has asked whether `v` may.
 */
MUST_USE int64_t guest_fill(struct vcpu *v, struct domain *d, gpa_t dst, gva_t src, uint64_t len);

/* A frame that stays reachable. Zeroed: not pinned. */
struct pin {
	mfn_t mfn; /* meaningful while va is set */
	void *va;  /* start of the frame */
};

/* Pin the RAM frame at `g` of `d`, writable. The frame cannot be freed until pin_put(). */
MUST_USE int pin_get(struct pin *p, struct domain *d, gfn_t g);
/* The same for the frame behind a guest virtual address of `v`, which must be current. R_BAD_GUEST_ADDRESS. */
MUST_USE int pin_get_va(struct pin *p, struct vcpu *v, gva_t va);
/* Harmless when nothing is pinned. */
void pin_put(struct pin *p);

static inline bool pin_held(const struct pin *p)
{
	return p->va != NULL;
}

#endif
