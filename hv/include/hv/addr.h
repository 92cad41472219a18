/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and frame numbers. Each kind is a struct of its own, so that mixing them does not
 * compile; conversions are the functions below and nothing else.
 *
 *   paddr_t  machine address (bytes)          mfn_t  machine frame
 *   gpa_t    guest physical address (bytes)   gfn_t  guest physical frame
 *   gva_t    guest virtual address (bytes), as a guest passed it, not yet checked
 */
#ifndef HV_ADDR_H
#define HV_ADDR_H

#include <hv/compiler.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096u
#define PAGE_MASK  (~(uint64_t)(PAGE_SIZE - 1))

/* Orders (log2 of frames) of the three page sizes, on every supported architecture. */
#define ORDER_4K   0u
#define ORDER_2M   9u
#define ORDER_1G   18u

typedef struct {
	uint64_t a;
} paddr_t;
typedef struct {
	uint64_t n;
} mfn_t;
typedef struct {
	uint64_t a;
} gpa_t;
typedef struct {
	uint64_t n;
} gfn_t;
typedef struct {
	uint64_t a;
} gva_t;

#define INVALID_MFN ((mfn_t){ ~(uint64_t)0 })
#define INVALID_GFN ((gfn_t){ ~(uint64_t)0 })

static inline paddr_t paddr(uint64_t a)
{
	return (paddr_t){ a };
}
static inline mfn_t mfn(uint64_t n)
{
	return (mfn_t){ n };
}
static inline gpa_t gpa(uint64_t a)
{
	return (gpa_t){ a };
}
static inline gfn_t gfn(uint64_t n)
{
	return (gfn_t){ n };
}
static inline gva_t gva(uint64_t a)
{
	return (gva_t){ a };
}

static inline mfn_t paddr_to_mfn(paddr_t p)
{
	return (mfn_t){ p.a >> PAGE_SHIFT };
}
static inline paddr_t mfn_to_paddr(mfn_t m)
{
	return (paddr_t){ m.n << PAGE_SHIFT };
}
static inline gfn_t gpa_to_gfn(gpa_t p)
{
	return (gfn_t){ p.a >> PAGE_SHIFT };
}
static inline gpa_t gfn_to_gpa(gfn_t g)
{
	return (gpa_t){ g.n << PAGE_SHIFT };
}

static inline mfn_t mfn_add(mfn_t m, uint64_t n)
{
	return (mfn_t){ m.n + n };
}
static inline gfn_t gfn_add(gfn_t g, uint64_t n)
{
	return (gfn_t){ g.n + n };
}
static inline gva_t gva_add(gva_t v, uint64_t n)
{
	return (gva_t){ v.a + n };
}
static inline gpa_t gpa_add(gpa_t p, uint64_t n)
{
	return (gpa_t){ p.a + n };
}

static inline bool mfn_eq(mfn_t a, mfn_t b)
{
	return a.n == b.n;
}
static inline bool mfn_valid(mfn_t m)
{
	return m.n != ~(uint64_t)0;
}
static inline bool gfn_valid(gfn_t g)
{
	return g.n != ~(uint64_t)0;
}

/* Frames needed for `bytes`. */
static inline uint64_t frames_for(uint64_t bytes)
{
	return (bytes >> PAGE_SHIFT) + ((bytes & (PAGE_SIZE - 1)) != 0);
}

#endif
