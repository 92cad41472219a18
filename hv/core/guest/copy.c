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
static NOINLINE int read_pages(struct vcpu *v, char *dst, gva_t src, size_t len)
{
	mfn_t m;

	while (len) {
		size_t n = in_page(src.a, len);
		char *from = page_begin_surely(v, src, false, &m);

		if (!from)
			return refuse(R_BAD_GUEST_ADDRESS, src.a, 0, len);
		copy(dst, from, n);
		page_end(from, m);
		dst += n;
		src = gva_add(src, n);
		len -= n;
	}
	return 0;
}

static NOINLINE int write_pages(struct vcpu *v, gva_t dst, const char *src, size_t len)
{
	mfn_t m;

	while (len) {
		size_t n = in_page(dst.a, len);
		char *to = page_begin_surely(v, dst, true, &m);

		if (!to)
			return refuse(R_BAD_GUEST_ADDRESS, dst.a, 0, len);
		copy(to, src, n);
		page_end(to, m);
		src += n;
		dst = gva_add(dst, n);
		len -= n;
	}
	return 0;
}

int guest_read(struct vcpu *v, void *dst, gva_t src, size_t len)
{
	char *from;
	mfn_t m;

	if (unlikely(len > PAGE_SIZE - (src.a & (PAGE_SIZE - 1))))
		return read_pages(v, dst, src, len);
	from = page_begin(v, src, false, &m);
	if (unlikely(!from))
		return read_pages(v, dst, src, len);
	copy(dst, from, len);
	page_end(from, m);
	return 0;
}

int guest_write(struct vcpu *v, gva_t dst, const void *src, size_t len)
{
	char *to;
	mfn_t m;

	if (unlikely(len > PAGE_SIZE - (dst.a & (PAGE_SIZE - 1))))
		return write_pages(v, dst, src, len);
	to = page_begin(v, dst, true, &m);
	if (unlikely(!to))
		return write_pages(v, dst, src, len);
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

int guest_phys_read(struct domain *d, void *dst, gpa_t src, size_t len)
{
	while (len) {
		size_t n = in_page(src.a, len);
		char *va;
		mfn_t m;
		int err;

		err = p2m_get_frame(d, gpa_to_gfn(src), false, &m);
		if (err)
			return err;
		va = arch_frame_map(m);
		copy(dst, va + (src.a & (PAGE_SIZE - 1)), n);
		page_end(va, m);
		dst = (char *)dst + n;
		src = gpa_add(src, n);
		len -= n;
	}
	return 0;
}

int guest_phys_write(struct domain *d, gpa_t dst, const void *src, size_t len)
{
	while (len) {
		size_t n = in_page(dst.a, len);
		char *va;
		mfn_t m;
		int err;

		err = p2m_get_frame(d, gpa_to_gfn(dst), true, &m);
		if (err)
			return err;
		va = arch_frame_map(m);
		copy(va + (dst.a & (PAGE_SIZE - 1)), src, n);
		page_end(va, m);
		src = (const char *)src + n;
		dst = gpa_add(dst, n);
		len -= n;
	}
	return 0;
}
