/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the toolstack on the simulated machine, in one process with the sanitizers: a configuration becomes a plan, the plan a domain by real hypercalls
 * of a simulated dom0, and the domain runs and ends. What is replaced: hypercall buffers are pages of dom0, which its translation shows at the addresses
 * that they have here; foreign memory is mapped into dom0 as Linux does it, copied in
 * then, and back when it is unmapped.
 */
#ifndef TESTS_UNIT_TOOLSTACK_H
#define TESTS_UNIT_TOOLSTACK_H

#include "sim.h"

#include "build/start.h"
#include "domain/create.h"
#include "lib/hcall/domctl.h"
#include <hv/guest.h>
#include <hv/log.h>
#include <errno.h>
#include <stdio.h>
#include <xen/hvm/params.h>

#define MEMORY       (96ull << 20)
#define WINDOW_PAGES 8u
#define WINDOW_GFN   64u
#define KERNEL_SIZE  0x4000u

static struct domain *d0;
static struct vcpu *v0;

/* ---- hypercalls ---------------------------------------------------------------------------------------- */

static _Alignas(4096) uint8_t window[WINDOW_PAGES * 4096];
static size_t window_used;

static bool translate(struct vcpu *v, gva_t va, bool write, gpa_t *pa)
{
	uint64_t base = (uintptr_t)window;

	pa->a = va.a >= base && va.a - base < sizeof(window)
		    ? ((uint64_t)WINDOW_GFN << PAGE_SHIFT) + (va.a - base)
		    : va.a;
	return true;
}

static long sim_op(struct hcall *h, unsigned op, const uint64_t arg[5], unsigned nr_args)
{
	const gva_t at = gva((uintptr_t)window);
	uint64_t a[6] = { arg[0], arg[1], arg[2], arg[3], arg[4] };
	long ret;

	sim_check(sim_guest_write(v0, at, window, sizeof(window)));
	ret = (long)sim_hypercall6(v0, op, a);
	sim_check(sim_guest_read(v0, at, window, sizeof(window)));
	return ret;
}

/* Given back in the order in which they were taken, or the other; the last one makes the window empty. */
static unsigned buffers;

static void *sim_buffer(struct hcall *h, size_t size)
{
	void *p = window + window_used;

	window_used += (size + 15) & ~(size_t)15;
	sim_check(window_used <= sizeof(window));
	buffers++;
	return memset(p, 0, size);
}

static void sim_free(struct hcall *h, void *buffer)
{
	if (buffer && --buffers == 0)
		window_used = 0;
}

static const struct hcall_ops sim_ops = { sim_op, sim_buffer, sim_free, NULL };

/* ---- foreign memory ------------------------------------------------------------------------------------ */

#define FOREIGN_GFN 0x1000u /* where dom0 has no memory */
#define MOST        256u

static uint8_t *mapped; /* what dom0 sees there; the tools have one mapping at a time */

static gva_t foreign(unsigned i)
{
	return gva((uint64_t)(FOREIGN_GFN + i) << PAGE_SHIFT);
}

/* A call whose structure and lists lie in hypercall buffers. */
static long memory_op(unsigned op, void *buffer)
{
	const uint64_t arg[5] = { op, (uintptr_t)buffer };

	return sim_op(NULL, __HYPERVISOR_memory_op, arg, 2);
}

static void *copy_in(unsigned n)
{
	sim_check(!mapped);
	mapped = malloc((size_t)n * PAGE_SIZE);
	for (unsigned i = 0; i < n; i++)
		sim_check(sim_guest_read(v0, foreign(i), mapped + i * PAGE_SIZE, PAGE_SIZE));
	return mapped;
}

static void *sim_map(struct fmem *m, uint16_t domid, const uint64_t *list, unsigned n)
{
	struct {
		struct xen_add_to_physmap_batch b;
		xen_ulong_t idx[MOST];
		xen_pfn_t gpfn[MOST];
		int err[MOST];
	} *x = sim_buffer(NULL, sizeof(*x));
	long err;

	x->b = (struct xen_add_to_physmap_batch){ .domid = DOMID_SELF,
						  .space = XENMAPSPACE_gmfn_foreign,
						  .size = (uint16_t)n };
	x->b.u.foreign_domid = domid;
	for (unsigned i = 0; i < n; i++) {
		x->idx[i] = list[i];
		x->gpfn[i] = FOREIGN_GFN + i;
	}
	set_xen_guest_handle(x->b.idxs, x->idx);
	set_xen_guest_handle(x->b.gpfns, x->gpfn);
	set_xen_guest_handle(x->b.errs, x->err);
	err = memory_op(XENMEM_add_to_physmap_batch, x);
	for (unsigned i = 0; i < n && !err; i++)
		err = x->err[i];
	sim_free(NULL, x);
	errno = err ? ENOMEM : 0;
	return err ? NULL : copy_in(n);
}

static void sim_unmap(struct fmem *m, void *p, unsigned n)
{
	struct xen_remove_from_physmap *r = sim_buffer(NULL, sizeof(*r));

	for (unsigned i = 0; i < n; i++) {
		sim_check(sim_guest_write(v0, foreign(i), mapped + i * PAGE_SIZE, PAGE_SIZE));
		*r = (struct xen_remove_from_physmap){ .domid = DOMID_SELF,
						       .gpfn = FOREIGN_GFN + i };
		sim_check_equal(memory_op(XENMEM_remove_from_physmap, r), 0);
	}
	sim_free(NULL, r);
	free(mapped);
	mapped = NULL;
}

static void *sim_grants(struct fmem *m, uint16_t domid)
{
	struct {
		struct xen_mem_acquire_resource r;
		xen_pfn_t gpfn;
	} *x = sim_buffer(NULL, sizeof(*x));
	long err;

	x->r = (struct xen_mem_acquire_resource){ .domid = domid,
						  .type = XENMEM_resource_grant_table,
						  .nr_frames = 1 };
	x->gpfn = FOREIGN_GFN;
	set_xen_guest_handle(x->r.frame_list, &x->gpfn);
	err = memory_op(XENMEM_acquire_resource, x);
	sim_free(NULL, x);
	errno = err ? ENOMEM : 0;
	return err ? NULL : copy_in(1);
}

static const struct fmem_ops sim_fmem_ops = { sim_map, sim_grants, sim_unmap, NULL };

static struct hcall hcall = { &sim_ops };
static struct fmem fmem = { &sim_fmem_ops };
static struct system tools = { .hcall = &hcall, .fmem = &fmem };

/* tools/domain/system.c's place. */
bool system_open(struct system *s, enum system_parts parts, struct fault *f)
{
	*s = tools;
	return true;
}

void system_close(struct system *s)
{
	*s = (struct system){ 0 };
}

/* ---- the guest's first vCPU ------------------------------------------------------------------------------ */

/* What the guest saw. */
static struct {
	bool ran;
	uint8_t kernel[64], tree[4];
} seen;
static struct build_plan plan;

/* A guest that looks at what was made for it, and powers off. */
static bool look(struct vcpu *v, void *arg)
{
	struct sched_shutdown off = { SHUTDOWN_poweroff };

	seen.ran = sim_guest_read(v, gva(plan.entry), seen.kernel, sizeof(seen.kernel)) &&
		   sim_guest_read(v, gva(plan.argument), seen.tree, sizeof(seen.tree));
	sim_guest_write(v, gva(plan.bank[0].start + plan.bank[0].size - sizeof(off)), &off,
			sizeof(off));
	sim_hypercall(v, __HYPERVISOR_sched_op, SCHEDOP_shutdown,
		      plan.bank[0].start + plan.bank[0].size - sizeof(off));
	return false;
}

void start_describe(struct xen_domctl_createdomain *how)
{
	how->flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
}

bool start_possible(struct fault *f)
{
	return true;
}

bool start_set(struct hcall *h, uint16_t domid, const struct build_plan *p, struct fault *f)
{
	static const vcpu_guest_context_t context = { .flags = VGCF_online };

	sim_guest_set(domain_find(domid)->vcpu[0], look, NULL, NULL);
	return hcall_set_context(h, domid, 0, &context) == 0;
}

/* ---- scenes ------------------------------------------------------------------------------------------------ */

static struct config config;
static uint8_t kernel[KERNEL_SIZE];

static void boot(uint64_t seed, const char *more)
{
	static const char base[] = "name='guest'; kernel='k'; memory=16; vcpus=2; extra='quiet'";
	struct domain_config c = {
		.roles = ROLE_CONTROL | ROLE_HARDWARE | ROLE_CONSOLE | ROLE_STORE,
		.max_vcpus = 1,
		.max_frames = 256,
		.max_evtchn = 1024,
		.max_grant_frames = 2,
		.max_maptrack_frames = 1,
		.node = ALLOC_ANY_NODE,
	};
	struct config_faults faults;
	struct build_request r = { .arch = BUILD_ARM64, .kernel = { "k", kernel, sizeof(kernel) } };
	struct fault f;

	sim_boot(2, MEMORY, seed);
	d0 = sim_domain_as(0, &c, WINDOW_GFN + WINDOW_PAGES);
	v0 = d0->vcpu[0];
	sim_guest_set_translate(v0, translate);
	if (!config_read(&config, BUILD_ARM64, "test", base, sizeof(base) - 1, more, &faults))
		fail_msg("%s", faults.fault[0].text);
	for (size_t i = 64; i < sizeof(kernel); i++)
		kernel[i] = (uint8_t)(i * 7 >> 2);
	kernel[18] = 0x10; /* 1 MiB in memory */
	memcpy(kernel + 56, "ARM\x64", 4);
	r.memory = config.memory << 20;
	r.vcpus = config.maxvcpus;
	r.cmdline = config.cmdline;
	if (!build_plan(&r, &plan, &f))
		fail_msg("%s", f.text);
	memset(&seen, 0, sizeof(seen));
}

static void end(void)
{
	build_plan_free(&plan);
	config_free(&config);
	sim_end_all();
	sim_shutdown();
}

/* ---- dom0, in which the tools run ------------------------------------------------------------------------- */

static struct {
	void (*fn)(void);
	bool done;
} job;

static bool dom0_guest(struct vcpu *v, void *arg)
{
	if (job.fn && !job.done) {
		job.fn();
		job.done = true;
	}
	sim_guest_pause(v);
	return true;
}

static bool job_done(void *arg)
{
	return job.done;
}

static void in_dom0(void (*fn)(void))
{
	job.fn = fn;
	job.done = false;
	sim_check(sim_run(job_done, NULL));
}

#endif
