/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Booting, from where the architecture is set up (memory, this CPU, a console, the description read)
 * to the first guest instruction.
 */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/timer.h>
#include <hv/assert.h>
#include <hv/boot.h>
#include <hv/console.h>
#include <hv/err.h>
#include <hv/frame.h>
#include <hv/hypercall.h>
#include <hv/log.h>
#include <hv/option.h>
#include <hv/payload.h>
#include <hv/sched.h>
#include <hv/state.h>
#include <hv/trace.h>
#include <hv/version.h>

struct boot_info boot_info;

/* dom0_mem's default: a quarter of the machine, within these. */
#define DOM0_MEM_LEAST (128ull << 20)
#define DOM0_MEM_MOST  (512ull << 20)

static uint32_t online_cpus(void)
{
	uint32_t n = 0;

	cpuset_for_each(cpu, &cpus_online) n++;
	return n;
}

static void describe_dom0(struct boot_domain *b)
{
	struct mem_stats mem;
	uint64_t quarter, available;

	frame_stats(&mem);
	quarter = (mem.total << PAGE_SHIFT) / 4;
	b->memory = options.dom0_mem;
	if (!b->memory)
		b->memory = MIN(MAX(quarter, DOM0_MEM_LEAST), DOM0_MEM_MOST);
	if (options.dom0_mem_max)
		b->memory = MIN(b->memory, options.dom0_mem_max);
	b->memory_min = options.dom0_mem_min;
	/* Not all there is: what dom0 costs the hypervisor comes from the same. */
	available = (mem.free + mem.never - mem.claimed) / 16 * 15 << PAGE_SHIFT;
	if (b->memory_min && b->memory > available)
		b->memory = MAX(available, b->memory_min);
	b->cpus = options.dom0_max_vcpus ? options.dom0_max_vcpus : online_cpus();
}

static void build_domains(void)
{
	for (uint32_t i = 0; i < boot_info.nr_domains; i++) {
		struct boot_domain *b = &boot_info.domain[i];

		if (b->skip)
			continue;
		if (b->is_dom0)
			describe_dom0(b);
		while (boot_build_step(b) == -ERR_RESTART)
			;
	}
}

/* Only domains that may be built again keep what they were loaded from. */
static void release_modules(void)
{
	for (uint32_t i = 0; i < boot_info.nr_domains; i++)
		if (boot_info.domain[i].is_dom0 || boot_info.domain[i].skip)
			payload_release(&boot_info.domain[i]);
	for (uint32_t i = 0; i < boot_info.nr_modules; i++) {
		const struct boot_module *m = &boot_info.module[i];
		const struct boot_domain *b = &boot_info.domain[m->domain];
		uint64_t start = ROUND_UP(m->start.a, PAGE_SIZE);
		uint64_t end = ROUND_DOWN(m->start.a + m->size, PAGE_SIZE);
		bool needed = !b->is_dom0 && !b->skip && !(m->kind == MODULE_KERNEL && b->unpacked);

		if (!needed && start < end)
			frame_release_reserved(paddr(start), paddr(end));
	}
}

/* The first domain with a console gets the input, unless conswitch=..x says otherwise. */
static void give_input(void)
{
	if (options.conswitch_once)
		return;
	for (uint32_t i = 0; i < boot_info.nr_domains; i++) {
		const struct domain *d = boot_info.domain[i].domain;

		if (d && d->console) {
			console_input_to(d->id);
			return;
		}
	}
}

static void reboot_key(void)
{
	log_info("rebooting");
	console_drain();
	arch_machine_end(false);
}

static void memory_key(void)
{
	struct mem_stats m;

	frame_stats(&m);
	log_info("memory: %llu KiB, free %llu, promised %llu, never used %llu, to be cleared %llu, "
		 "frame table %llu",
		 (unsigned long long)m.total * 4, (unsigned long long)m.free * 4,
		 (unsigned long long)m.claimed * 4, (unsigned long long)m.never * 4,
		 (unsigned long long)m.dirty * 4, (unsigned long long)m.table * 4);
}

void boot_common(void)
{
	struct mem_stats mem;

	log_info("Krypton %s (%s, %s)", krypton_version, krypton_commit, krypton_date);
	frame_stats(&mem);
	log_info("memory: %llu MiB", (unsigned long long)(mem.total >> (20 - PAGE_SHIFT)));
	if (sched_init(options.sched) != 0 && sched_init("credit2") != 0)
		panic("no scheduler");
	debug_key_register('R', "reboot the machine", reboot_key);
	debug_key_register('m', "memory", memory_key);
#ifdef HV_DEBUG
	state_check_init();
#endif
	domain_shutdown_hook = boot_domain_ended;
	hypercall_trace = options.hypercall_trace;
	arch_boot_cpus();
	log_info("CPUs: %u, scheduler %s", online_cpus(), sched_policy()->name);
	if (options.tbuf_size && trace_enable(~0u, options.tbuf_size) != 0)
		log_warning("tbuf_size=%u: no memory for it", options.tbuf_size);
	build_domains();
	release_modules();
	give_input();
	arch_boot_done();
	console_boot_done();
}
