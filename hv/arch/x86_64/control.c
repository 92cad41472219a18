/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x86's part of the control interface (arch/control.h): creation by a toolstack, CPU policies, memory maps, the TSC, and
 * triggers. What a domain is given before it starts changes only while it is BUILDING; its lock guards the rest.
 */
#include <arch/control.h>

#include <arch/timer.h>
#include <asm/control.h>
#include <asm/hvm.h>
#include <asm/insn.h>
#include <asm/machine.h>
#include <asm/policy.h>
#include <hv/control.h>
#include <hv/err.h>
#include <hv/hypercall.h>
#include <hv/policy.h>
#include <hv/string.h>
#include <xen/memory.h>

#define POLICY_MSRS     2u /* as many as Xen 4.17 has places for; none is shown to guests here */
#define CACHE_SUBLEAVES 6u /* of leaf 4 */
#define MAP_ENTRIES     128u
#define MAP_ENTRY       20u /* bytes: address, length, type (INT 15h, E820h) */
#define IO_PORTS        0x10000u

_Static_assert(sizeof(struct policy_leaf) == sizeof(xen_cpuid_leaf_t), "xen/arch-x86/xen.h");
_Static_assert(offsetof(struct policy_leaf, value) == offsetof(xen_cpuid_leaf_t, a),
	       "xen/arch-x86/xen.h");
_Static_assert(MAP_ENTRIES *MAP_ENTRY <= PAGE_SIZE, "a memory map is one frame");

/* ---- the machine ----------------------------------------------------------------------------------- */

void arch_physinfo(struct xen_sysctl_physinfo *info)
{
	info->cpu_khz = (uint32_t)(tsc_hz / 1000);
	for (unsigned i = 0; i < ARRAY_SIZE(info->hw_cap); i++)
		info->hw_cap[i] = policy_word(NULL, i);
}

void arch_cpu_topology(unsigned id, struct xen_sysctl_cputopo *t)
{
	t->core = id;
	t->socket = 0;
}

/* ---- creation ----------------------------------------------------------------------------------------- */

/* A domain has what PVH guests have: a local APIC. */
int arch_domain_config(struct xen_domctl_createdomain *c, struct domain_config *cfg)
{
	if (c->max_vcpus > MAX_VCPUS)
		return refuse(R_BAD_VCPU_COUNT, 0, MAX_VCPUS, c->max_vcpus);
	if (c->arch.emulation_flags != XEN_X86_EMU_LAPIC)
		return refuse(R_CREATE_EMULATION, 0, XEN_X86_EMU_LAPIC, c->arch.emulation_flags);
	if (c->arch.misc_flags & ~XEN_X86_MSR_RELAXED)
		return refuse(R_CREATE_FIELD, offsetof(__typeof__(*c), arch.misc_flags), 0,
			      c->arch.misc_flags);
	return 0;
}

void control_free(struct domain *d)
{
	if (d->arch.map)
		pool_free(&d->pool, frame_from_va(d->arch.map));
	d->arch.map = NULL;
}

void arch_domain_info(const struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	uint64_t end = read_once(&d->p2m.end);

	info->gpaddr_bits = end ? (uint8_t)(PAGE_SHIFT + __builtin_ctzll(end)) : 0;
	info->arch_config.emulation_flags = XEN_X86_EMU_LAPIC;
}

/* ---- CPU policies ---------------------------------------------------------------------------------------- */

/* Leaves on their way to a caller. */
struct leaves {
	struct vcpu *v;
	const struct cpu_policy *p;
	gva_t to;
	uint32_t room, n;
};

static int give_leaf(struct leaves *o, uint32_t leaf, uint32_t subleaf)
{
	struct policy_leaf l = { leaf, subleaf, *policy_value(o->p, leaf, subleaf) };

	if (o->n == o->room)
		return refuse(R_POLICY_SIZE, o->v->domain->id, POLICY_LEAVES, o->room);
	return guest_put(o->v, gva_add(o->to, o->n++ * sizeof(l)), &l);
}

/* A leaf with subleaves: which ones Xen lists. Caches end with one of type 0; states are those of XCR0. */
static int give_subleaves(struct leaves *o, uint32_t leaf, uint32_t last)
{
	int err = 0;

	for (uint32_t i = 0; !err && i <= last; i++) {
		err = give_leaf(o, leaf, i);
		if (leaf == 4 && !(policy_value(o->p, 4, i)->eax & 31))
			break;
	}
	return err;
}

static int give_basic(struct leaves *o, uint32_t leaf)
{
	switch (leaf) {
	case 4: return give_subleaves(o, 4, CACHE_SUBLEAVES - 1);
	case 7: return give_subleaves(o, 7, 0);
	case 0xb: return give_subleaves(o, 0xb, 0);
	case 0xd: return give_subleaves(o, 0xd, o->p->xcr0_mask & 4 ? 2 : 1);
	default: return give_leaf(o, leaf, XEN_CPUID_NO_SUBLEAF);
	}
}

/*
 * All leaves up to the last, in Xen's order, with zeros where there is nothing: tools write back into the same buffer
 * what they make of it, and need the same room. *nr says how many the caller has room for, and then how many there were.
 */
static int give_leaves(struct vcpu *v, const struct cpu_policy *p, gva_t to, uint32_t *nr)
{
	struct leaves o = { .v = v, .p = p, .to = to, .room = *nr };
	int err = 0;

	for (uint32_t leaf = 0; !err && leaf <= policy_value(p, 0, 0)->eax; leaf++)
		err = give_basic(&o, leaf);
	if (!err)
		err = give_leaf(&o, 0x40000000, XEN_CPUID_NO_SUBLEAF);
	if (!err)
		err = give_leaf(&o, 0x40000100, XEN_CPUID_NO_SUBLEAF);
	for (uint32_t leaf = 0x80000000; !err && leaf <= policy_value(p, 0x80000000, 0)->eax; leaf++)
		err = give_leaf(&o, leaf, XEN_CPUID_NO_SUBLEAF);
	*nr = o.n;
	return err;
}

static int get_policy(struct vcpu *v, struct domain *d, struct xen_domctl_cpu_policy *op,
		      bool *answer)
{
	*answer = true;
	op->nr_msrs = 0;
	return give_leaves(v, d->arch.policy, handle_gva(op->leaves), &op->nr_leaves);
}

static int take_leaves(struct vcpu *v, struct domain *d, struct xen_domctl_cpu_policy *op)
{
	for (uint32_t i = 0; i < op->nr_leaves; i++) {
		struct policy_leaf l;
		int err;

		err = guest_get(v, &l, gva_add(handle_gva(op->leaves), i * sizeof(l)));
		if (err)
			return err;
		if (!policy_set(d, &l)) {
			op->err_leaf = l.leaf;
			op->err_subleaf = l.subleaf;
			return refuse(R_POLICY_LEAF, l.leaf, d->id, l.subleaf);
		}
	}
	return 0;
}

/* MSRs of a policy can only be what they are: 0. */
static int check_msrs(struct vcpu *v, struct domain *d, struct xen_domctl_cpu_policy *op)
{
	for (uint32_t i = 0; i < op->nr_msrs; i++) {
		xen_msr_entry_t m;
		int err;

		err = guest_get(v, &m, gva_add(handle_gva(op->msrs), i * sizeof(m)));
		if (err)
			return err;
		if (m.flags || m.val) {
			op->err_msr = m.idx;
			return refuse(R_POLICY_MSR, m.idx, d->id, m.val);
		}
	}
	return 0;
}

static int set_policy(struct vcpu *v, struct domain *d, struct xen_domctl_cpu_policy *op,
		      bool *answer)
{
	int err;

	if (d == v->domain)
		return refuse(R_NOT_ON_SELF, d->id, 0, XEN_DOMCTL_set_cpu_policy);
	if (read_once(&d->state) != DOMAIN_BUILDING)
		return refuse(R_POLICY_FIXED, d->id, 0, 0);
	if (op->nr_leaves > POLICY_LEAVES || op->nr_msrs > POLICY_MSRS)
		return refuse(R_MEMORY_MAP_SIZE, d->id, POLICY_LEAVES, op->nr_leaves);
	*answer = true;
	op->err_leaf = op->err_subleaf = op->err_msr = ~0u;
	err = check_msrs(v, d, op);
	if (!err)
		err = take_leaves(v, d, op);
	policy_finish(d);
	return err;
}

static int system_policy(struct vcpu *v, struct xen_sysctl_cpu_policy *op, bool *answer)
{
	if (op->_rsvd || op->index > XEN_SYSCTL_cpu_policy_hvm_default)
		return refuse(R_POLICY_INDEX, op->index, XEN_SYSCTL_cpu_policy_hvm_default + 1,
			      op->_rsvd);
	if (op->index == XEN_SYSCTL_cpu_policy_pv_max ||
	    op->index == XEN_SYSCTL_cpu_policy_pv_default)
		return refuse(R_POLICY_NONE, op->index, 0, 0);
	*answer = true;
	if (!handle_gva(op->leaves).a && !handle_gva(op->msrs).a) {
		op->nr_leaves = POLICY_LEAVES;
		op->nr_msrs = POLICY_MSRS;
		return 0;
	}
	if (handle_gva(op->msrs).a)
		op->nr_msrs = 0;
	return handle_gva(op->leaves).a
		   ? give_leaves(v, policy_host_max(), handle_gva(op->leaves), &op->nr_leaves)
		   : 0;
}

static int featureset(struct vcpu *v, struct xen_sysctl_cpu_featureset *op, bool *answer)
{
	bool machine = op->index == XEN_SYSCTL_cpu_featureset_raw ||
		       op->index == XEN_SYSCTL_cpu_featureset_host;
	uint32_t n = MIN(op->nr_features, POLICY_WORDS);
	gva_t to = handle_gva(op->features);
	int err = 0;

	if (op->index > XEN_SYSCTL_cpu_featureset_hvm_max)
		return refuse(R_POLICY_INDEX, op->index, XEN_SYSCTL_cpu_featureset_hvm_max + 1, 0);
	if (op->index == XEN_SYSCTL_cpu_featureset_pv ||
	    op->index == XEN_SYSCTL_cpu_featureset_pv_max)
		return refuse(R_POLICY_NONE, op->index, 0, 0);
	*answer = true;
	if (!to.a) {
		op->nr_features = POLICY_WORDS;
		return 0;
	}
	for (uint32_t i = 0; !err && i < n; i++) {
		uint32_t word = policy_word(machine ? NULL : policy_host_max(), i);

		err = guest_put(v, gva_add(to, i * sizeof(word)), &word);
	}
	if (!err && op->nr_features < POLICY_WORDS)
		err = refuse(R_POLICY_SIZE, v->domain->id, POLICY_WORDS, op->nr_features);
	op->nr_features = n;
	return err;
}

/* ---- time ------------------------------------------------------------------------------------------------- */

#define TSC_DEFAULT 0u
#define TSC_ALWAYS  1u
#define TSC_NEVER   2u

/* The counter runs at one rate everywhere, so that nothing needs emulation; a domain from a machine with another rate would. */
static int set_tsc(struct vcpu *v, struct domain *d, const struct xen_domctl_tsc_info *t)
{
	if (d == v->domain)
		return refuse(R_NOT_ON_SELF, d->id, 0, XEN_DOMCTL_settscinfo);
	if (t->tsc_mode > TSC_NEVER)
		return refuse(R_TSC_MODE, d->id, TSC_NEVER, t->tsc_mode);
	if (t->tsc_mode == TSC_ALWAYS || (t->gtsc_khz && t->gtsc_khz != tsc_hz / 1000))
		return refuse(R_TSC_EMULATED, d->id, tsc_hz / 1000, t->tsc_mode);
	lock_take(&d->lock);
	d->arch.tsc_mode = (uint8_t)t->tsc_mode;
	lock_release(&d->lock);
	return 0;
}

static int get_tsc(struct vcpu *v, struct domain *d, struct xen_domctl_tsc_info *t, bool *answer)
{
	if (d == v->domain)
		return refuse(R_NOT_ON_SELF, d->id, 0, XEN_DOMCTL_gettscinfo);
	*t = (struct xen_domctl_tsc_info){
		.tsc_mode = d->arch.tsc_mode,
		.gtsc_khz = (uint32_t)(tsc_hz / 1000),
		.elapsed_nsec = arch_time_ns() + (uint64_t)d->time_offset,
	};
	*answer = true;
	return 0;
}

/* ---- memory ------------------------------------------------------------------------------------------------ */

static void *map_frame(struct domain *d)
{
	mfn_t m;

	if (!d->arch.map) {
		m = pool_alloc(&d->pool);
		d->arch.map = mfn_valid(m) ? frame_va(m) : NULL;
	}
	return d->arch.map;
}

static int set_map(struct vcpu *v, gva_t arg)
{
	struct xen_foreign_memory_map op;
	struct domain *d;
	char *copy;
	int err;

	err = guest_get(v, &op, arg);
	if (err)
		return err;
	if (op.map.nr_entries > MAP_ENTRIES)
		return refuse(R_MEMORY_MAP_SIZE, op.domid, MAP_ENTRIES, op.map.nr_entries);
	err = memory_find_domain(v, op.domid, &d);
	if (err)
		return err;
	if (d == v->domain)
		return refuse(R_MEMORY_MAP_BUSY, d->id, 0, 0);
	lock_take(&d->lock);
	copy = map_frame(d);
	err = copy ? guest_read(v, copy, handle_gva(op.map.buffer), op.map.nr_entries * MAP_ENTRY)
		   : reason_err(R_POOL_EXHAUSTED);
	if (!err)
		d->arch.nr_map = op.map.nr_entries;
	lock_release(&d->lock);
	return err;
}

static int get_map(struct vcpu *v, gva_t arg)
{
	struct domain *d = v->domain;
	struct xen_memory_map op;
	int err;

	err = guest_get(v, &op, arg);
	if (err)
		return err;
	lock_take(&d->lock);
	if (!d->arch.nr_map) {
		err = refuse(R_MEMORY_MAP_NONE, d->id, 0, 0);
	} else if (op.nr_entries < d->arch.nr_map) {
		err = refuse(R_MEMORY_MAP_SIZE, d->id, op.nr_entries, d->arch.nr_map);
	} else {
		op.nr_entries = d->arch.nr_map;
		err = guest_write(v, handle_gva(op.buffer), d->arch.map, op.nr_entries * MAP_ENTRY);
	}
	lock_release(&d->lock);
	return err ? err : guest_put(v, arg, &op);
}

/* No domain is populated on demand, so there is nothing to do for a target that its limit allows: libxl sets one
 * here for whatever the balloon is told. */
static int pod_target(struct vcpu *v, unsigned op, gva_t arg)
{
	struct xen_pod_target t;
	struct domain *d;
	int err;

	err = guest_get(v, &t, arg);
	if (err)
		return err;
	err = memory_find_domain(v, t.domid, &d);
	if (err)
		return err;
	err = policy_sysctl(v->domain, op); /* not of itself */
	if (err)
		return err;
	if (op == XENMEM_set_pod_target && t.target_pages > read_once(&d->mem.max))
		return refuse(R_POD_TARGET, d->id, read_once(&d->mem.max), t.target_pages);
	t.tot_pages = read_once(&d->mem.used);
	t.pod_cache_pages = 0;
	t.pod_entries = 0;
	return guest_put(v, arg, &t);
}

int arch_memory_op(struct vcpu *v, unsigned op, gva_t arg)
{
	switch (op) {
	case XENMEM_set_pod_target:
	case XENMEM_get_pod_target: return pod_target(v, op, arg);
	case XENMEM_set_memory_map: return set_map(v, arg);
	case XENMEM_memory_map: return get_map(v, arg);
	default: return refuse(R_NOT_IMPLEMENTED, op, 0, __HYPERVISOR_memory_op);
	}
}

/* ---- the rest ----------------------------------------------------------------------------------------------- */

static int trigger(struct domain *d, const struct xen_domctl_sendtrigger *t)
{
	struct vcpu *v;

	switch (t->trigger) {
	case XEN_DOMCTL_SENDTRIGGER_NMI:
		v = domain_find_vcpu(d, t->vcpu);
		if (!v)
			return refuse(R_VCPU_NOT_MADE, t->vcpu, 0, d->id);
		hvm_nmi(v);
		return 0;
	/* Buttons are of ACPI hardware that PVH guests do not have. */
	case XEN_DOMCTL_SENDTRIGGER_POWER:
	case XEN_DOMCTL_SENDTRIGGER_SLEEP: return refuse(R_GPIO_TRIGGER, d->id, 0, t->trigger);
	default: return refuse(R_BAD_TRIGGER, d->id, 0, t->trigger);
	}
}

/* Nothing is kept yet of ports that a domain may have: taking away is done, giving is refused. */
static int ioport_permission(struct domain *d, const struct xen_domctl_ioport_permission *p)
{
	if (!p->nr_ports || p->first_port >= IO_PORTS || p->nr_ports > IO_PORTS - p->first_port)
		return refuse(R_IOMEM_RANGE, p->first_port, 16, p->nr_ports);
	return p->allow_access ? refuse(R_NO_PASSTHROUGH, d->id, 0, p->first_port) : 0;
}

static int address_size(struct domain *d, uint32_t size)
{
	return size == 64 ? 0 : refuse(R_ADDRESS_WIDTH, d->id, 64, size);
}

int arch_domctl(struct vcpu *caller, struct domain *d, struct xen_domctl *op, bool *answer,
		uint64_t *a)
{
	switch (op->cmd) {
	case XEN_DOMCTL_ioport_permission: return ioport_permission(d, &op->u.ioport_permission);
	case XEN_DOMCTL_hypercall_init:
		return hvm_fill_hypercall_page(d, gfn(op->u.hypercall_init.gmfn));
	case XEN_DOMCTL_sendtrigger: return trigger(d, &op->u.sendtrigger);
	case XEN_DOMCTL_set_address_size: return address_size(d, op->u.address_size.size);
	case XEN_DOMCTL_get_address_size:
		op->u.address_size.size = 64;
		*answer = true;
		return 0;
	case XEN_DOMCTL_gettscinfo: return get_tsc(caller, d, &op->u.tsc_info, answer);
	case XEN_DOMCTL_settscinfo: return set_tsc(caller, d, &op->u.tsc_info);
	case XEN_DOMCTL_get_ext_vcpucontext:
	case XEN_DOMCTL_set_ext_vcpucontext:
	case XEN_DOMCTL_getvcpuextstate:
	case XEN_DOMCTL_setvcpuextstate:
	case XEN_DOMCTL_get_vcpu_msrs:
	case XEN_DOMCTL_set_vcpu_msrs: return control_vcpu(caller, d, op, answer);
	case XEN_DOMCTL_get_cpu_policy: return get_policy(caller, d, &op->u.cpu_policy, answer);
	case XEN_DOMCTL_set_cpu_policy: return set_policy(caller, d, &op->u.cpu_policy, answer);
	default: return refuse(R_NOT_IMPLEMENTED, op->cmd, 0, __HYPERVISOR_domctl);
	}
}

int arch_sysctl(struct vcpu *caller, struct xen_sysctl *op, bool *answer, uint64_t *a)
{
	switch (op->cmd) {
	case XEN_SYSCTL_get_cpu_levelling_caps: /* for PV guests */
		op->u.cpu_levelling_caps.caps = 0;
		*answer = true;
		return 0;
	case XEN_SYSCTL_get_cpu_featureset:
		return featureset(caller, &op->u.cpu_featureset, answer);
	case XEN_SYSCTL_get_cpu_policy: return system_policy(caller, &op->u.cpu_policy, answer);
	default: return refuse(R_NOT_IMPLEMENTED, op->cmd, 0, __HYPERVISOR_sysctl);
	}
}
