/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual CPUs of the simulated machine: what core asks of them (arch/vcpu.h), and the calls that guests make. A
 * guest leaves guest mode by switching to its CPU's stack with the cause in g->exit; guest_enter() deals with
 * it there, in the hypervisor, and the guest goes on when its vCPU is next entered.
 */
#include "internal.h"

#include <arch/cpu.h>
#include <arch/vcpu.h>
#include <hv/assert.h>
#include <hv/err.h>
#include <hv/log.h>
#include <hv/p2m.h>
#include <xen/platform.h>
#include <stdlib.h>
#include <string.h>

/* ---- domains ----------------------------------------------------------------------------------- */

int arch_domain_init(struct domain *d, const struct domain_config *cfg)
{
	mfn_t m = pool_alloc(&d->pool);

	if (!mfn_valid(m))
		return reason_err(R_POOL_EXHAUSTED);
	d->arch.frame = frame_va(m);
	return 0;
}

void arch_domain_free(struct domain *d)
{
	if (d->arch.frame)
		pool_free(&d->pool, frame_from_va(d->arch.frame));
	d->arch.frame = NULL;
}

uint32_t arch_features(const struct domain *d, unsigned submap)
{
	return 0;
}

const char *arch_capabilities(void)
{
	return "xen-3.0-sim ";
}

int arch_hvm_param_set(struct domain *d, uint32_t index, uint64_t value, bool *handled)
{
	*handled = false;
	return 0;
}

void arch_vcpu_unpin(struct vcpu *v) {}

/* As on x86, so that all of core's are tested; none of its own. */
bool arch_has_vcpu_op(uint32_t op)
{
	return true;
}

int arch_vcpu_op(struct vcpu *caller, struct vcpu *v, uint32_t op, gva_t arg)
{
	return refuse(R_NOT_IMPLEMENTED, op, 0, __HYPERVISOR_vcpu_op);
}

int arch_hvm_op(struct vcpu *caller, uint32_t op, gva_t arg)
{
	return refuse(R_NOT_IMPLEMENTED, op, 0, __HYPERVISOR_hvm_op);
}

int arch_platform_op(struct vcpu *caller, struct xen_platform_op *op, gva_t arg)
{
	return refuse(R_NOT_IMPLEMENTED, op->cmd, 0, __HYPERVISOR_platform_op);
}

int arch_physdev_op(struct vcpu *caller, uint32_t op, gva_t arg)
{
	return refuse(R_NOT_IMPLEMENTED, op, 0, __HYPERVISOR_physdev_op);
}

/* ---- life of a vCPU ---------------------------------------------------------------------------- */

int arch_vcpu_init(struct vcpu *v)
{
	struct sim_guest *g = calloc(1, sizeof(*g));

	if (!g)
		abort();
	g->v = v;
	guests_lock();
	g->next = sim.guests;
	if (g->next)
		g->next->prev = &g->next;
	g->prev = &sim.guests;
	sim.guests = g;
	guests_unlock();
	v->arch = (struct arch_vcpu){ .guest = g };
	return 0;
}

void guest_forget(struct sim_guest *g)
{
	guests_lock();
	*g->prev = g->next;
	if (g->next)
		g->next->prev = g->prev;
	guests_unlock();
	stack_free(g->stack);
	free(g);
}

/* The simulator's guests have no timers but core's. */
void arch_vcpu_stop(struct vcpu *v) {}

void arch_vcpu_free(struct vcpu *v)
{
	if (load_acquire(&v->arch.loaded))
		sim_fail("d%uv%u is freed while cpu%u holds it", v->domain->id, v->id,
			 v->arch.loaded->id);
	guest_forget(v->arch.guest);
	v->arch.guest = NULL;
}

int arch_vcpu_set_context(struct vcpu *v, const vcpu_guest_context_t *c)
{
	return 0;
}

void arch_vcpu_get_context(struct vcpu *v, vcpu_guest_context_t *c)
{
	memset(c, 0, sizeof(*c));
}

void arch_vcpu_switch(struct vcpu *prev, struct vcpu *next)
{
	struct cpu *here = this_cpu();

	sim_switch_point();
	if (prev) {
		if (load_acquire(&prev->arch.loaded) != here)
			sim_fail("d%uv%u is saved by a CPU that does not hold it", prev->domain->id,
				 prev->id);
		store_release(&prev->arch.loaded, NULL);
	}
	if (next) {
		struct cpu *at = load_acquire(&next->arch.loaded);

		if (at && at != here)
			sim_fail("d%uv%u is loaded while cpu%u still holds it", next->domain->id,
				 next->id, at->id);
		store_release(&next->arch.loaded, here);
		sim_trace('v', next->domain->id, next->id);
	}
}

void arch_vcpu_raise_upcall(struct vcpu *v)
{
	store_release(&v->arch.upcall, (uint8_t)1);
	vcpu_kick(v);
}

bool arch_vcpu_interrupt_pending(struct vcpu *v)
{
	return load_acquire(&v->arch.upcall) || vcpu_events_pending(v);
}

void arch_vcpu_dump(struct vcpu *v)
{
	log_info("d%uv%u: call %u of (%llx, %llx, %llx)", v->domain->id, v->id,
		 (unsigned)v->arch.nr, (unsigned long long)v->arch.arg[0],
		 (unsigned long long)v->arch.arg[1], (unsigned long long)v->arch.arg[2]);
}

/* ---- entering and leaving ---------------------------------------------------------------------- */

static void take_upcall(struct vcpu *v)
{
	struct sim_guest *g = v->arch.guest;

	if (g->masked || g->in_upcall || !load_acquire(&v->arch.upcall))
		return;
	g->in_upcall = true;
	write_once(&v->arch.upcall, (uint8_t)0);
	if (g->upcall)
		g->upcall(v, g->arg);
	g->in_upcall = false;
}

static void guest_exit(struct sim_guest *g, enum guest_exit exit)
{
	struct sim_cpu *c = sim_cpu_now();

	g->exit = exit;
	stack_switch(g->stack, c->stack);
	take_upcall(g->v);
}

static void guest_main(void *arg)
{
	struct sim_guest *g = arg;

	take_upcall(g->v);
	for (;;) {
		/* One that nobody gave a program takes itself down. */
		if (g->finished || !g->fn || !g->fn(g->v, g->arg)) {
			g->finished = true;
			guest_exit(g, EXIT_DOWN);
		}
		guest_exit(g, EXIT_INTERRUPT);
	}
}

static void do_hypercall(struct sim_guest *g)
{
	struct vcpu *v = g->v;
	int64_t result;

	sim_trace('h', v->arch.nr, v->arch.arg[0]);
	result = hypercall(v, v->arch.nr, v->arch.arg);
	sim_trace('r', (uint64_t)result, 0);
	v->arch.in_hypercall = result == -ERR_RESTART;
	if (!v->arch.in_hypercall)
		g->result = result;
}

static bool do_io(struct sim_guest *g)
{
	enum io_result r = io_access(g->v, &g->io);

	g->io_ok = r == IO_DONE;
	return r == IO_WAIT;
}

void guest_enter(struct sim_cpu *c, struct vcpu *v)
{
	struct sim_guest *g = v->arch.guest;
	struct cpu *cpu = c->cpu;

	if (v->arch.in_hypercall) {
		do_hypercall(g);
		return;
	}
	store_release(&cpu->mode, (uint32_t)CPU_GUEST);
	atomic_fence();
	if (read_once(&cpu->softirqs) || cpu_interrupted(c)) {
		store_release(&cpu->mode, (uint32_t)CPU_HYPERVISOR);
		return;
	}
	if (load_acquire(&v->arch.loaded) != cpu)
		sim_fail("cpu%u enters d%uv%u without having loaded it", c->id, v->domain->id,
			 v->id);
	if (!g->stack) {
		if (!g->fn)
			sim_fail("d%uv%u runs and has no guest: sim_guest_set()", v->domain->id,
				 v->id);
		g->stack = stack_new(guest_main, g);
	}
	tlb_enter_guest(c, &v->domain->p2m.view);
	if (g->cpu)
		sim_fail("d%uv%u runs on two CPUs", v->domain->id, v->id);
	g->cpu = c;
	c->on = g->stack;
	stack_switch(c->stack, g->stack);
	c->on = c->stack;
	g->cpu = NULL;
	store_release(&cpu->mode, (uint32_t)CPU_HYPERVISOR);
	switch (g->exit) {
	case EXIT_INTERRUPT: break;
	case EXIT_HYPERCALL: do_hypercall(g); break;
	case EXIT_WAIT: vcpu_block(v); break;
	case EXIT_IO: (void)do_io(g); break;
	case EXIT_FAULT: {
		struct p2m_entry e = p2m_lookup(v->domain, gpa_to_gfn(g->io.addr));

		if (g->io.write && e.type == P2M_LOGDIRTY) {
			p2m_log_fault(v->domain, gpa_to_gfn(g->io.addr));
			g->retry = true;
			break;
		}
		g->retry = g->io.write ? p2m_type_writable(e.type)
				       : e.type != P2M_NONE && e.type != P2M_MMIO_DM &&
					     e.type != P2M_PAGED && e.type != P2M_POD;
		break;
	}
	case EXIT_DOWN: (void)vcpu_transition(v, VCPU_DOWN); break;
	}
}

/* ---- what guests do ---------------------------------------------------------------------------- */

bool sim_in_guest(void)
{
	struct sim_cpu *c = sim_cpu_now();

	return c && c->on != c->stack;
}

/* The beginning of each guest's action: time passes, interrupts are taken. */
static struct sim_guest *guest_step(struct vcpu *v)
{
	struct sim_guest *g = v->arch.guest;
	struct sim_cpu *c = sim_cpu_now();

	if (c->on != g->stack)
		sim_fail("d%uv%u acts, and is not running: sim_guest_* are for guests",
			 v->domain->id, v->id);
	sim_switch_point();
	if (cpu_interrupted(c))
		guest_exit(g, EXIT_INTERRUPT);
	else
		take_upcall(v);
	return g;
}

void sim_guest_set(struct vcpu *v, sim_guest_fn *fn, sim_upcall_fn *upcall, void *arg)
{
	struct sim_guest *g = v->arch.guest;

	g->fn = fn;
	g->upcall = upcall;
	g->arg = arg;
	v->initialised = true;
}

void sim_guest_start(struct vcpu *v)
{
	v->initialised = true;
	(void)vcpu_transition(v, VCPU_UP);
}

void sim_guest_set_translate(struct vcpu *v,
			     bool (*fn)(struct vcpu *v, gva_t va, bool write, gpa_t *pa))
{
	v->arch.guest->translate = fn;
}

/* In the name of a vCPU that does not run, by the test between two runs. */
static int64_t direct_hypercall(struct vcpu *v)
{
	struct vcpu *as = sim.as_active ? this_cpu()->current : NULL;
	int64_t result;

	for (;;) {
		sim_as(v);
		result = hypercall(v, v->arch.nr, v->arch.arg);
		sim_as(as);
		if (result != -ERR_RESTART)
			break;
		if (sim.exit_path)
			sim.exit_path();
	}
	sim_trace('d', v->arch.nr, (uint64_t)result);
	return result;
}

int64_t sim_hypercall6(struct vcpu *v, uint64_t nr, const uint64_t arg[6])
{
	struct sim_guest *g;

	if (sim_in_guest())
		guest_step(v);
	v->arch.nr = nr;
	memcpy(v->arch.arg, arg, sizeof(v->arch.arg));
	if (!sim_in_guest())
		return direct_hypercall(v);
	g = v->arch.guest;
	guest_exit(g, EXIT_HYPERCALL);
	return g->result;
}

static bool first_stage(struct vcpu *v, gva_t va, bool write, gpa_t *pa)
{
	*pa = gpa(va.a);
	return !v->arch.guest->translate || v->arch.guest->translate(v, va, write, pa);
}

/* The page's address with the TLB held, or NULL after an abort. */
static void *touch(struct vcpu *v, gva_t va, bool write)
{
	struct sim_guest *g = guest_step(v);
	gpa_t pa;
	void *p;

	if (!first_stage(v, va, write, &pa))
		return NULL;
	for (;;) {
		p = guest_touch(v, pa, write);
		if (p)
			return p;
		/* Perhaps the entry was absent only for a moment: the hypervisor knows. */
		g->io = (struct io_access){ .addr = pa, .write = write };
		guest_exit(g, EXIT_FAULT);
		if (!g->retry)
			return NULL;
	}
}

/* Bytes one by one: hypervisor and guest may touch the same ones at once. */
static void copy_bytes(char *dst, const char *src, size_t n)
{
	for (size_t i = 0; i < n; i++)
		write_once(&dst[i], read_once(&src[i]));
}

static bool copy(struct vcpu *v, gva_t va, char *in, const char *out, size_t n)
{
	while (n) {
		size_t part = MIN(n, (size_t)(PAGE_SIZE - va.a % PAGE_SIZE));
		char *p = touch(v, va, out != NULL);

		if (!p)
			return false;
		if (out) {
			copy_bytes(p, out, part);
			out += part;
		} else {
			copy_bytes(in, p, part);
			in += part;
		}
		tlb_done(sim_cpu_now());
		va = gva_add(va, part);
		n -= part;
	}
	return true;
}

bool sim_guest_read(struct vcpu *v, gva_t va, void *buf, size_t n)
{
	return copy(v, va, buf, NULL, n);
}

bool sim_guest_write(struct vcpu *v, gva_t va, const void *buf, size_t n)
{
	return copy(v, va, NULL, buf, n);
}

bool sim_guest_xchg(struct vcpu *v, gva_t va, unsigned long *word)
{
	unsigned long *p = touch(v, va, true);

	if (!p)
		return false;
	*word = atomic_xchg_quiet(p, *word);
	tlb_done(sim_cpu_now());
	return true;
}

bool sim_guest_or(struct vcpu *v, gva_t va, unsigned long bits)
{
	unsigned long *p = touch(v, va, true);

	if (!p)
		return false;
	(void)__atomic_fetch_or(p, bits, __ATOMIC_SEQ_CST);
	tlb_done(sim_cpu_now());
	return true;
}

bool sim_guest_cas(struct vcpu *v, gva_t va, uint32_t *old, uint32_t new)
{
	uint32_t *p = touch(v, va, true);
	bool same;

	if (!p)
		sim_fail("d%uv%u has no memory at %llx", v->domain->id, v->id,
			 (unsigned long long)va.a);
	same = __atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	tlb_done(sim_cpu_now());
	return same;
}

bool sim_guest_io(struct vcpu *v, gpa_t pa, unsigned size, bool write, uint64_t *value)
{
	struct sim_guest *g = guest_step(v);

	g->io = (struct io_access){
		.addr = pa, .size = (uint8_t)size, .write = write, .value = *value
	};
	guest_exit(g, EXIT_IO);
	*value = g->io.value;
	return g->io_ok;
}

void sim_guest_wait(struct vcpu *v)
{
	guest_exit(guest_step(v), EXIT_WAIT);
}

void sim_guest_pause(struct vcpu *v)
{
	guest_step(v);
}

void sim_guest_mask(struct vcpu *v, bool masked)
{
	v->arch.guest->masked = masked;
	if (!masked)
		guest_step(v);
}

void sim_check_integers(int64_t got, int64_t want, const char *what, unsigned line)
{
	char why[256] = "no refusal";

	if (got == want)
		return;
	if (reason_last()->id != R_NONE)
		(void)reason_format(why, sizeof(why), reason_last());
	sim_fail("%s (line %u) is %lld, not %lld; last refusal here: %s", what, line,
		 (long long)got, (long long)want, why);
}
