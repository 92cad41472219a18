/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door into guest memory. An address is translated as the guest's kernel would see it, the frame
 * must be the domain's own and is held by a reference while it is copied, so nothing that
 * other CPUs do to the mapping meanwhile can redirect the copy into memory of somebody else. No
 * state and no lock; callers may hold any lock below POOL.
 *
 * The log of writes is told of each page that is about to be written, once it is held (core/mem/dirty.c).
 */
#include "door.h"

#include <hv/guest.h>

#include <arch/cpu.h>
#include <arch/guest.h>
#include <arch/memory.h>
#include <hv/domain.h>
#include <hv/reason.h>
#include <hv/softirq.h>

/* The byte at `va` and the frame it is in, held; NULL: not mapped, not permitted or not its own. */
static ALWAYS_INLINE char *page_begin(struct vcpu *v, gva_t va, bool write, mfn_t *m)
{
	if (unlikely(!arch_guest_translate(v, va, write, m) || !frame_get(*m, v->domain)))
		return NULL;
	if (write && unlikely(read_once(&v->domain->p2m.log)))
		p2m_log_mark(v->domain, frame_gfn(frame_of(*m)), 1);
	return (char *)arch_frame_map(*m) + (va.a & (PAGE_SIZE - 1));
}

/*
 * The same, unless it fails for the moment of a break-before-make on another CPU (p2m.breaking is odd or has
 * moved): then the mapping was there all the time, and it is asked for again.
 */
static NOINLINE char *page_begin_surely(struct vcpu *v, gva_t va, bool write, mfn_t *m)
{
	const uint32_t *breaking = &v->domain->p2m.breaking;
	uint32_t seen;
	char *p;

	for (;;) {
		seen = load_acquire(breaking);
		p = page_begin(v, va, write, m);
		atomic_fence();
		if (p || (!(seen & 1) && read_once(breaking) == seen))
			return p;
		arch_cpu_relax();
	}
}

static ALWAYS_INLINE void page_end(void *va, mfn_t m)
{
	arch_frame_unmap(va);
	frame_put(m);
}

#define WORD_BYTES  sizeof(unsigned long)
#define SMALL_WORDS 16u

/* Most arguments are a few aligned words: no call for those. Each byte is read once. */
static ALWAYS_INLINE void copy(void *dst, const void *src, size_t n)
{
	unsigned long *d = dst;
	const unsigned long *s = src;

	if (unlikely((((uintptr_t)d | (uintptr_t)s | n) & (WORD_BYTES - 1)) ||
		     n > SMALL_WORDS * WORD_BYTES)) {
		copy_racing(dst, src, n);
		return;
	}
	for (; n; n -= WORD_BYTES)
		write_once(d++, read_once(s++));
}

static ALWAYS_INLINE size_t in_page(uint64_t a, size_t len)
{
	return MIN(len, (size_t)(PAGE_SIZE - (a & (PAGE_SIZE - 1))));
}

/* What is not in one page, or failed at first. */
static NOINLINE int by_pages(struct vcpu *v, gva_t va, char *ours, size_t len, bool write)
{
	mfn_t m;

	while (len) {
		size_t n = in_page(va.a, len);
		char *p = page_begin_surely(v, va, write, &m);

		if (!p)
			return refuse(R_BAD_GUEST_ADDRESS, va.a, 0, len);
		copy(write ? p : ours, write ? ours : p, n);
		page_end(p, m);
		ours += n;
		va = gva_add(va, n);
		len -= n;
	}
	return 0;
}

int guest_read(struct vcpu *v, void *dst, gva_t src, size_t len)
{
	char *from;
	mfn_t m;

	if (unlikely(len > PAGE_SIZE - (src.a & (PAGE_SIZE - 1))))
		return by_pages(v, src, dst, len, false);
	from = page_begin(v, src, false, &m);
	if (unlikely(!from))
		return by_pages(v, src, dst, len, false);
	copy(dst, from, len);
	page_end(from, m);
	return 0;
}

int guest_write(struct vcpu *v, gva_t dst, const void *src, size_t len)
{
	char *to;
	mfn_t m;

	if (unlikely(len > PAGE_SIZE - (dst.a & (PAGE_SIZE - 1))))
		return by_pages(v, dst, (char *)(uintptr_t)src, len, true);
	to = page_begin(v, dst, true, &m);
	if (unlikely(!to))
		return by_pages(v, dst, (char *)(uintptr_t)src, len, true);
	copy(to, src, len);
	page_end(to, m);
	return 0;
}

int guest_writable(struct vcpu *v, gva_t dst, size_t len)
{
	mfn_t m;

	while (len) {
		size_t n = in_page(dst.a, len);
		char *to = page_begin(v, dst, true, &m);

		if (unlikely(!to))
			to = page_begin_surely(v, dst, true, &m);
		if (unlikely(!to))
			return refuse(R_BAD_GUEST_ADDRESS, dst.a, 0, len);
		page_end(to, m);
		dst = gva_add(dst, n);
		len -= n;
	}
	return 0;
}

int guest_fetch_bytes(struct vcpu *v, void *dst, gva_t at, size_t len)
{
	int err = guest_read(v, dst, at, len);

	return err ? err : guest_writable(v, at, len);
}

int guest_hold(struct vcpu *v, gva_t va, mfn_t *m)
{
	char *p = page_begin_surely(v, va, true, m);

	if (!p)
		return refuse(R_BAD_GUEST_ADDRESS, va.a, 0, 1);
	arch_frame_unmap(p);
	return 0;
}

/* ---- by guest physical address --------------------------------------------------------------- */

static int phys(struct domain *d, gpa_t at, char *ours, size_t len, bool write)
{
	while (len) {
		size_t n = in_page(at.a, len);
		char *p;
		mfn_t m;
		int err;

		err = p2m_get_frame(d, gpa_to_gfn(at), write, &m);
		if (err)
			return err;
		p = (char *)arch_frame_map(m) + (at.a & (PAGE_SIZE - 1));
		copy(write ? p : ours, write ? ours : p, n);
		page_end(p, m);
		ours += n;
		at = gpa_add(at, n);
		len -= n;
	}
	return 0;
}

int guest_phys_read(struct domain *d, void *dst, gpa_t src, size_t len)
{
	return phys(d, src, dst, len, false);
}

int guest_phys_write(struct domain *d, gpa_t dst, const void *src, size_t len)
{
	return phys(d, dst, (char *)(uintptr_t)src, len, true);
}

/* ---- from one domain to another ---------------------------------------------------------------- */

#define FILL_STEP ((uint64_t)32 << PAGE_SHIFT)

/*
 * As p2m_get_frame() for writing. It is probably `guess`, of which a reference is taken before the only look: of what is RAM_RW then, the log of writes
 * has the bit, or sees that reference.
 */
static int target_get(struct domain *d, gfn_t g, mfn_t guess, mfn_t *m)
{
	struct p2m_entry e;

	if (frame_get(guess, d)) {
		e = p2m_lookup(d, g);
		if (mfn_eq(e.mfn, guess) && e.type == P2M_RAM_RW) {
			*m = guess;
			return 0;
		}
		frame_put(guess);
	}
	return p2m_get_frame(d, g, true, m) ? refuse(R_FILL_NO_RAM, g.n, 0, d->id) : 0;
}

/* What lies in one page on both sides. *target: a guess, and then the truth. */
static int fill_piece(struct vcpu *v, struct domain *d, gpa_t dst, gva_t src, size_t n,
		      mfn_t *target)
{
	mfn_t source;
	char *from = page_begin_surely(v, src, false, &source), *to;
	int err;

	if (!from)
		return refuse(R_BAD_GUEST_ADDRESS, src.a, 0, n);
	err = target_get(d, gpa_to_gfn(dst), *target, target);
	if (!err) {
		to = (char *)arch_frame_map(*target) + (dst.a & (PAGE_SIZE - 1));
		if (n == PAGE_SIZE) {
			arch_copy_page(to, from);
		} else {
			copy_racing(to, from, n);
			arch_clean_invalidate_dcache(to, n);
		}
		page_end(to, *target);
	}
	page_end(from, source);
	return err;
}

int64_t guest_fill(struct vcpu *v, struct domain *d, gpa_t dst, gva_t src, uint64_t len)
{
	uint64_t done = 0, step = MIN(len, FILL_STEP);
	mfn_t target = INVALID_MFN;
	int err = 0;

	while (done < step && !(done && softirq_pending())) {
		size_t n = in_page(dst.a, in_page(src.a, (size_t)(step - done)));

		err = fill_piece(v, d, dst, src, n, &target);
		if (err)
			break;
		dst = gpa_add(dst, n);
		src = gva_add(src, n);
		done += n;
		if (!(dst.a & (PAGE_SIZE - 1)))
			target = mfn_add(target, 1);
	}
	return done ? (int64_t)done : err;
}
