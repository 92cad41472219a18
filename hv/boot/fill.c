/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling boot-time domains, as far as all architectures do it alike (hv/fill.h). Called by arch/<name>/boot on the boot
 * CPU, and as background work when a domain is built again.
 */
#include <hv/fill.h>

#include <arch/memory.h>
#include <hv/console.h>
#include <hv/err.h>
#include <hv/guest.h>
#include <hv/log.h>
#include <hv/p2m.h>
#include <hv/reason.h>
#include <xen/hvm/params.h>

#define COPY_STEP ((uint64_t)1 << 20)
#define MIB2      ((uint64_t)2 << 20)

/* ---- memory ------------------------------------------------------------------------------------- */

unsigned fill_order_in(uint64_t bytes)
{
	unsigned order = 63u - (unsigned)__builtin_clzll(bytes >> PAGE_SHIFT);

	return MIN(order, ORDER_1G);
}

unsigned fill_order_for(uint64_t bytes)
{
	unsigned order = 0;

	while ((uint64_t)PAGE_SIZE << order < bytes)
		order++;
	return order;
}

static int static_step(struct boot_domain *b, struct domain *d, const struct range *bank)
{
	uint64_t at = b->progress;

	for (uint32_t i = 0; i < b->nr_static; i++) {
		const struct static_range *s = &b->static_mem[i];
		mfn_t m = mfn((s->start.a + at) >> PAGE_SHIFT);
		gfn_t g = gfn((bank[i].start + at) >> PAGE_SHIFT);
		unsigned order = ORDER_4K;
		int err;

		if (at >= s->size) {
			at -= s->size;
			continue;
		}
		if (((m.n | g.n) & ((1u << ORDER_2M) - 1)) == 0 && s->size - at >= MIB2)
			order = ORDER_2M;
		err = domain_populate_static(d, g, m, order);
		if (err)
			return err;
		b->progress += (uint64_t)PAGE_SIZE << order;
		return -ERR_RESTART;
	}
	return 0;
}

/* One block of an ordinary domain: the largest that the place allows and that is free. */
static int populate_block(struct boot_domain *b, struct domain *d, uint64_t at, uint64_t left)
{
	/* Once domains run, a step must be short: 2 MiB to clear. */
	unsigned order = MIN(fill_order_in(left), b->restarts ? ORDER_2M : ORDER_1G);
	int err;

	order = order >= ORDER_1G ? ORDER_1G : order >= ORDER_2M ? ORDER_2M : ORDER_4K;
	while (order && !IS_ALIGNED(at >> PAGE_SHIFT, (uint64_t)1 << order))
		order -= ORDER_2M;
	for (;; order -= ORDER_2M) {
		gfn_t g = gfn(at >> PAGE_SHIFT);

		err = domain_populate(d, &g, order, 0);
		if (!err || order == ORDER_4K)
			break;
	}
	if (err)
		return err;
	b->progress += (uint64_t)PAGE_SIZE << order;
	return -ERR_RESTART;
}

int fill_memory_step(struct boot_domain *b, struct domain *d, const struct range *bank,
		     uint32_t nr_banks)
{
	uint64_t at = b->progress;

	if (b->nr_static)
		return static_step(b, d, bank);
	for (uint32_t i = 0; i < nr_banks; i++) {
		if (at < bank[i].size)
			return populate_block(b, d, bank[i].start + at, bank[i].size - at);
		at -= bank[i].size;
	}
	return 0;
}

/* ---- what goes into it -------------------------------------------------------------------------- */

static int clean_page(struct domain *d, gfn_t g)
{
	void *va;
	mfn_t m;
	int err = p2m_get_frame(d, g, false, &m);

	if (err)
		return err;
	va = arch_frame_map(m);
	arch_clean_dcache(va, PAGE_SIZE);
	arch_frame_unmap(va);
	frame_put(m);
	return 0;
}

int fill_bytes(struct domain *d, uint64_t to, const void *from, uint64_t size)
{
	int err = guest_phys_write(d, gpa(to), from, (size_t)size);

	for (uint64_t at = to & PAGE_MASK; !err && at < to + size; at += PAGE_SIZE)
		err = clean_page(d, gfn(at >> PAGE_SHIFT));
	return err;
}

int fill_copy_step(struct boot_domain *b, struct domain *d, uint64_t to, const void *from,
		   uint64_t size)
{
	uint64_t n = MIN(size - b->progress, COPY_STEP);
	int err = fill_bytes(d, to + b->progress, (const char *)from + b->progress, n);

	if (err)
		return err;
	b->progress += n;
	return b->progress < size ? -ERR_RESTART : 0;
}

const void *fill_module(const struct boot_module *m)
{
	return (const char *)frame_va(paddr_to_mfn(m->start)) + (m->start.a & (PAGE_SIZE - 1));
}

/* ---- PV devices ----------------------------------------------------------------------------------- */

int fill_pv_devices(struct boot_domain *b, struct domain *d, gfn_t g)
{
	uint32_t port;
	int err;

	err = domain_populate(d, &g, ORDER_4K, 0);
	if (!err)
		err = clean_page(d, g);
	if (!err)
		err = evtchn_alloc_served(d, 0, 0, console_served, &port);
	if (!err)
		err = console_set_ring(d, g, port);
	if (err)
		return err;
	d->hvm_param[HVM_PARAM_CONSOLE_PFN] = g.n;
	d->hvm_param[HVM_PARAM_CONSOLE_EVTCHN] = port;
	if (b->enhanced != ENHANCED_YES)
		return 0;
	err = evtchn_alloc_unbound(d, 0, &port);
	if (err)
		return err;
	d->hvm_param[HVM_PARAM_STORE_PFN] = ~(uint64_t)0;
	d->hvm_param[HVM_PARAM_STORE_EVTCHN] = port;
	return 0;
}
