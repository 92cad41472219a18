/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the toolstack on the simulated machine, in one process with the sanitizers: a configuration becomes a plan, the plan a domain by real hypercalls
 * of a simulated dom0, and the domain runs and ends. What is replaced: the back ends of tools/lib (inproc.h).
 */
#ifndef TESTS_UNIT_TOOLSTACK_H
#define TESTS_UNIT_TOOLSTACK_H

#include "inproc.h"

#include "build/start.h"
#include "domain/create.h"
#include "lib/hcall/domctl.h"
#include <fcntl.h>
#include <hv/log.h>
#include <stdio.h>
#include <unistd.h>
#include <xen/hvm/params.h>

#define MEMORY      (96ull << 20)
#define KERNEL_SIZE 0x4000u

static struct domain *d0;

static struct hcall hcall = { &sim_ops };
static struct fmem fmem = { &sim_fmem_ops };
static struct system tools = { .hcall = &hcall, .fmem = &fmem };

/* tools/domain/system.c's place. */
bool system_open(struct system *s, enum system_parts parts, struct fault *f)
{
	*s = tools;
	return true;
}

int system_lock(const struct system *s, struct fault *f)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void system_unlock(int lock)
{
	close(lock);
}

void system_hold_signals(void) {}

void system_let_signals(void) {}

bool system_announce(int lock, const uint8_t *uuid, struct fault *f)
{
	return true;
}

bool system_announce_device(int lock, const char *type, uint16_t domid, uint32_t id, struct fault *f)
{
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
	inproc_vcpu = d0->vcpu[0];
	sim_guest_set_translate(inproc_vcpu, inproc_translate);
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
