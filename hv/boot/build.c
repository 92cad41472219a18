/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot-time domains: built from their description (hv/boot.h), looked after when they end, and
 * built again when they asked for a reboot. Building runs in bounded steps: in a row while booting,
 * as background work later. A domain that cannot be built is reported; the others go on.
 */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/timer.h>
#include <arch/vcpu.h>
#include <hv/assert.h>
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/log.h>
#include <hv/option.h>
#include <hv/reason.h>
#include <hv/string.h>
#include <hv/timer.h>
#include <xen/domctl.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>

/* A domain that reboots at once may not keep the machine busy with building it. */
#define REBUILD_PAUSE_NS 1000000000ull

enum build_phase { BUILD_CREATE, BUILD_LOAD, BUILD_START };

/* Building again goes on where no domain runs it: one timer and one piece of work for each. */
static struct rebuild {
	struct timer timer;
	struct work work;
	uint32_t phase; /* enum build_phase */
} rebuilds[BOOT_MAX_DOMAINS];

static struct rebuild *rebuild_of(const struct boot_domain *b)
{
	return &rebuilds[b - boot_info.domain];
}

static struct domain_config config_of(const struct boot_domain *b)
{
	struct domain_config cfg = {
		.roles = b->is_dom0 ? ROLE_CONTROL | ROLE_HARDWARE | ROLE_STORE | ROLE_CONSOLE : 0,
		.max_vcpus = b->cpus,
		.max_frames = frames_for(b->memory) + (b->enhanced && !b->is_dom0),
		.max_evtchn = b->evtchn_limit ? b->evtchn_limit : EVTCHN_2L_NR_CHANNELS,
		.max_grant_frames = b->grant_frames ? b->grant_frames : options.gnttab_max_frames,
		.max_maptrack_frames = b->maptrack_frames,
		.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
		.direct_map = b->direct_map,
		.node = ALLOC_ANY_NODE,
	};

	if (b->nr_static) {
		cfg.static_frames = frames_for(b->memory);
		cfg.max_frames -= cfg.static_frames;
	}
	if (!cfg.max_maptrack_frames)
		cfg.max_maptrack_frames = b->is_dom0 ? options.gnttab_max_maptrack_frames : 1;
	cfg.max_grant_frames = MIN(cfg.max_grant_frames, GNTTAB_MAX_FRAMES);
	cfg.max_maptrack_frames = MIN(cfg.max_maptrack_frames, MAPTRACK_MAX_FRAMES);
	return cfg;
}

static int create_vcpus(struct domain *d)
{
	struct vcpu *v;
	int err = 0;

	lock_take(&d->lock);
	for (uint32_t i = 0; !err && i < d->max_vcpus; i++)
		err = vcpu_create(d, i, &v);
	lock_release(&d->lock);
	return err;
}

static int create(struct boot_domain *b)
{
	struct domain_config cfg = config_of(b);
	struct domain *d;
	int err;

	err = arch_boot_domain_config(b, &cfg);
	if (err)
		return err;
	cfg.pool_more += b->pool_frames;
	err = domain_create(b->id, &cfg, &d);
	if (err)
		return err;
	d->boot = b;
	b->domain = d;
	b->phase = 0;
	b->progress = 0;
	err = arch_boot_prepare(b, d);
	if (!err)
		err = create_vcpus(d);
	return err ? err : console_domain_init(d);
}

static int finish(struct boot_domain *b)
{
	struct domain *d = b->domain;

	lock_take(&d->lock);
	domain_vcpu(d, 0)->initialised = true;
	lock_release(&d->lock);
	return domain_start(d);
}

/* Why it failed: what the step has refused, unless it has named its own reason in the log. */
static void report(const struct boot_domain *b, uint32_t refusals)
{
	char why[192];

	if (reason_last()->count == refusals)
		return;
	(void)reason_format(why, sizeof(why), reason_last());
	log_error("%s: not started: %s", b->path, why);
}

static int build_phase_step(struct boot_domain *b, struct rebuild *r)
{
	switch ((enum build_phase)r->phase) {
	case BUILD_CREATE: return create(b);
	case BUILD_LOAD: return arch_boot_load(b, b->domain);
	case BUILD_START: break;
	}
	return finish(b);
}

int boot_build_step(struct boot_domain *b)
{
	struct rebuild *r = rebuild_of(b);
	uint32_t refusals = reason_last()->count;
	int err = build_phase_step(b, r);

	if (err == -ERR_RESTART)
		return err;
	if (!err && r->phase != BUILD_START) {
		r->phase++;
		return -ERR_RESTART;
	}
	r->phase = BUILD_CREATE;
	if (err) {
		report(b, refusals);
		if (b->domain)
			domain_destroy(b->domain);
		return err;
	}
	log_info("d%u: %s: %llu MiB, %u vCPU%s%s", b->id, b->name,
		 (unsigned long long)(b->memory >> 20), b->cpus, b->cpus > 1 ? "s" : "",
		 b->restarts ? ", again" : "");
	return 0;
}

/* ---- the end of a domain ---------------------------------------------------------------------- */

static bool rebuild_step(struct work *w)
{
	struct rebuild *r = container_of(w, struct rebuild, work);
	struct boot_domain *b = &boot_info.domain[r - rebuilds];

	return boot_build_step(b) == -ERR_RESTART;
}

static void rebuild_due(struct timer *t)
{
	struct rebuild *r = container_of(t, struct rebuild, timer);

	r->work.step = rebuild_step;
	work_queue(&r->work);
}

/* The old one is gone: its id is free as soon as the caller is through. */
static void build_again(struct boot_domain *b)
{
	struct rebuild *r = rebuild_of(b);

	b->rebuild = false;
	b->restarts++;
	r->phase = BUILD_CREATE;
	timer_init(&r->timer, rebuild_due, this_cpu());
	timer_set(&r->timer, arch_time_ns() + REBUILD_PAUSE_NS);
}

static const char *shutdown_name(uint32_t code)
{
	static const char *const names[] = {
		[SHUTDOWN_poweroff] = "powered off",
		[SHUTDOWN_reboot] = "reboots",
		[SHUTDOWN_suspend] = "suspended",
		[SHUTDOWN_crash] = "crashed",
		[SHUTDOWN_watchdog] = "was stopped by its watchdog",
		[SHUTDOWN_soft_reset] = "asks for a soft reset",
	};

	return code < ARRAY_SIZE(names) && names[code] ? names[code] : "ended";
}

/* The machine ends with the domain that owns it. */
static void machine_ends(uint32_t code)
{
	switch (code) {
	case SHUTDOWN_poweroff: arch_machine_end(true);
	case SHUTDOWN_crash:
		if (options.noreboot)
			arch_machine_halt();
		arch_machine_end(false);
	case SHUTDOWN_suspend: return;
	default: arch_machine_end(false);
	}
}

void boot_domain_ended(struct domain *d)
{
	struct boot_domain *b = d->boot;

	if (d->state == DOMAIN_DEAD) {
		if (!b)
			return;
		b->domain = NULL;
		if (b->rebuild)
			build_again(b);
		return;
	}
	log_info("d%u%s%s %s", d->id, b ? ": " : "", b ? b->name : "",
		 shutdown_name(d->shutdown_code));
	if (d->roles & ROLE_HARDWARE) {
		console_drain();
		machine_ends(d->shutdown_code);
		return;
	}
	if (!b || d->shutdown_code == SHUTDOWN_suspend)
		return;
	b->rebuild = d->shutdown_code == SHUTDOWN_reboot || d->shutdown_code == SHUTDOWN_watchdog;
	domain_destroy(d);
}
