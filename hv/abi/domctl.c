/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XEN_DOMCTL_*: a toolstack makes, runs and destroys domains. The table names a handler for each operation;
 * this file has what is about a domain as a whole, the others beside it its vCPUs, memory and state. Order of checks:
 * address, interface version, the domain, permission, then the operation's own.
 */
#include "domctl.h"

#include <arch/control.h>
#include <arch/cpu.h>
#include <hv/control.h>
#include <hv/domain.h>
#include <hv/domain_time.h>
#include <hv/err.h>
#include <hv/iommu.h>
#include <hv/nospec.h>
#include <hv/option.h>
#include <hv/policy.h>
#include <hv/string.h>
#include <xen/event_channel.h>

/* ---- creation ---------------------------------------------------------------------------------- */

#define ALL_FLAGS (XEN_DOMCTL_CDF_MAX * 2 - 1)

static int bad_field(unsigned which, uint64_t value)
{
	return refuse(R_CREATE_FIELD, which, 0, value);
}

/* A toolstack may ask for what the command line gives domains, and for no table without frames; negative: the default. As Xen has it. */
static int check_frames(const struct xen_domctl_createdomain *c)
{
	uint32_t grants = MIN(options.gnttab_max_frames, GNTTAB_MAX_FRAMES);
	uint32_t maps = MIN(options.gnttab_max_maptrack_frames, MAPTRACK_MAX_FRAMES);

	if (c->max_grant_frames == 0 || c->max_grant_frames > (int64_t)grants)
		return refuse(R_BAD_GRANT_LIMIT, 0, grants, c->max_grant_frames);
	if (c->max_maptrack_frames > (int64_t)maps)
		return refuse(R_BAD_MAPTRACK_LIMIT, 0, maps, c->max_maptrack_frames);
	return 0;
}

/* Fields in the order in which Xen looks at them; the number is the field's offset in the public structure. */
static int check_create(const struct xen_domctl_createdomain *c)
{
	if (c->flags & ~ALL_FLAGS)
		return refuse(R_BAD_FLAGS, 0, ALL_FLAGS, c->flags);
	if (c->iommu_opts & ~(XEN_DOMCTL_IOMMU_MAX * 2 - 1))
		return bad_field(offsetof(__typeof__(*c), iommu_opts), c->iommu_opts);
	if ((c->flags & XEN_DOMCTL_CDF_iommu) && !iommu_works())
		return refuse(R_CREATE_UNSUPPORTED, XEN_DOMCTL_CDF_iommu, 0, c->flags);
	if (!(c->flags & XEN_DOMCTL_CDF_iommu) && c->iommu_opts)
		return bad_field(offsetof(__typeof__(*c), iommu_opts), c->iommu_opts);
	if (c->max_vcpus == 0)
		return refuse(R_BAD_VCPU_COUNT, 0, MAX_VCPUS, 0);
	if (!(c->flags & XEN_DOMCTL_CDF_hvm) || !(c->flags & XEN_DOMCTL_CDF_hap))
		return refuse(R_CREATE_UNSUPPORTED, 0, XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
			      c->flags);
	if (c->flags & (XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_vpmu))
		return refuse(R_CREATE_UNSUPPORTED,
			      XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_vpmu, 0, c->flags);
	if (c->grant_opts & ~XEN_DOMCTL_GRANT_version_mask)
		return bad_field(offsetof(__typeof__(*c), grant_opts), c->grant_opts);
	if (c->vmtrace_size)
		return bad_field(offsetof(__typeof__(*c), vmtrace_size), c->vmtrace_size);
	if (c->cpupool_id)
		return refuse(R_NO_SUCH_POOL, c->cpupool_id, 0, 0);
	return check_frames(c);
}

static struct domain_config config_of(const struct xen_domctl_createdomain *c)
{
	struct domain_config cfg = {
		.roles = c->flags & XEN_DOMCTL_CDF_xs_domain ? ROLE_STORE : 0,
		.max_vcpus = c->max_vcpus,
		.max_evtchn = c->max_evtchn_port >= EVTCHN_MAX_PORTS
				  ? EVTCHN_MAX_PORTS
				  : MAX(c->max_evtchn_port + 1, 2u),
		.max_grant_frames = c->max_grant_frames < 0
					? MIN(options.gnttab_max_frames, GNTTAB_MAX_FRAMES)
					: (uint32_t)c->max_grant_frames,
		.max_maptrack_frames = c->max_maptrack_frames < 0 ? 1
								  : (uint32_t)c->max_maptrack_frames,
		.flags = c->flags,
		.controlled = true,
		.arch = &c->arch,
		.node = ALLOC_ANY_NODE,
	};

	memcpy(cfg.uuid, c->handle, sizeof(cfg.uuid));
	return cfg;
}

static int create(struct domctl_call *c)
{
	struct xen_domctl_createdomain *op = &c->op.u.createdomain;
	domid_t id = c->op.domain;
	struct domain_config cfg;
	struct domain *d;
	int err;

	err = check_create(op);
	if (err)
		return err;
	cfg = config_of(op);
	err = arch_domain_config(op, &cfg);
	if (err)
		return err;
	err = domain_create(id && id < DOMID_FIRST_RESERVED ? id : DOMID_INVALID, &cfg, &d);
	if (err)
		return err;
	c->op.domain = d->id;
	c->answer = true;
	return 0;
}

/* ---- its life ------------------------------------------------------------------------------------ */

static int pause(struct domctl_call *c)
{
	int err;

	if (c->d == c->v->domain)
		return refuse(R_NOT_ON_SELF, c->d->id, 0, c->op.cmd);
	/* Entered again, it has paused it already and waits until no CPU runs it. */
	err = control_resumed(c->a) ? 0 : control_pause(c->d);
	if (err)
		return err;
	return domain_off_cpu(c->d) ? 0 : domctl_again(c, 0);
}

static int unpause(struct domctl_call *c)
{
	return control_unpause(c->d);
}

static int resume(struct domctl_call *c)
{
	if (c->d == c->v->domain)
		return refuse(R_NOT_ON_SELF, c->d->id, 0, c->op.cmd);
	/* One that is not shut down needs nothing. */
	return read_once(&c->d->state) == DOMAIN_SHUTDOWN ? domain_resume(c->d) : 0;
}

static int destroy(struct domctl_call *c)
{
	int err;

	if (c->d == c->v->domain)
		return refuse(R_NOT_ON_SELF, c->d->id, 0, c->op.cmd);
	do {
		arch_cpu_relax(); /* a step may wait for another CPU, to flush or to forget */
		err = control_destroy(c->d);
	} while (err == -ERR_RESTART && !hypercall_preempt(c->v) &&
		 !read_once(&c->d->control_busy) && !domain_destroy_waits(c->d));
	if (err == -ERR_RESTART)
		sched_yield(c->v);
	return err;
}

/* The domain with this number or the next higher one. */
static int info(struct domctl_call *c)
{
	struct domain *d = c->d;

	if (!d && c->op.domain >= DOMID_FIRST_RESERVED)
		return refuse(R_DOMID_RANGE, c->op.domain, DOMID_FIRST_RESERVED, 0);
	if (!d)
		d = domain_from(c->op.domain);
	if (!d)
		return refuse(R_NO_SUCH_DOMAIN, c->op.domain, 0, 0);
	control_domain_info(d, &c->op.u.getdomaininfo);
	c->op.domain = d->id;
	c->answer = true;
	return 0;
}

static int set_handle(struct domctl_call *c)
{
	lock_take(&c->d->lock);
	memcpy(c->d->uuid, c->op.u.setdomainhandle.handle, sizeof(c->d->uuid));
	lock_release(&c->d->lock);
	return 0;
}

static int set_time_offset(struct domctl_call *c)
{
	lock_take(&c->d->lock);
	c->d->wallclock_offset = c->op.u.settimeoffset.time_offset_seconds;
	lock_release(&c->d->lock);
	domain_time_publish(c->d);
	return 0;
}

static int subscribe(struct domctl_call *c)
{
	lock_take(&c->d->lock);
	write_once(&c->d->suspend_port, c->op.u.subscribe.port);
	lock_release(&c->d->lock);
	return 0;
}

/* Once, and for good: whose device model `d` is. */
static int set_target(struct domctl_call *c)
{
	struct domain *target = domain_find(c->op.u.set_target.target);
	int err = 0;

	if (!target)
		return refuse(R_NO_SUCH_DOMAIN, c->op.u.set_target.target, 0, 0);
	if (target == c->d)
		return refuse(R_TARGET_SELF, c->d->id, 0, 0);
	lock_take(&c->d->lock);
	if (c->d->target != DOMID_INVALID)
		err = refuse(R_TARGET_SET, c->d->id, 0, c->d->target);
	else
		write_once(&c->d->target, target->id);
	lock_release(&c->d->lock);
	return err;
}

/* Who receives a global virtual interrupt. Only the hardware domain does, so only that can be asked for. */
static int set_virq_handler(struct domctl_call *c)
{
	uint32_t virq = c->op.u.set_virq_handler.virq;

	if (virq >= NR_VIRQS)
		return refuse(R_NO_SUCH_VIRQ, virq, NR_VIRQS, 0);
	if (!evtchn_virq_is_global(virq))
		return refuse(R_VIRQ_NOT_GLOBAL, virq, 0, 0);
	return c->d == policy_hardware_domain() ? 0 : refuse(R_VIRQ_HANDLER, virq, 0, c->d->id);
}

static int set_debugging(struct domctl_call *c)
{
	if (c->d == c->v->domain)
		return refuse(R_NOT_ON_SELF, c->d->id, 0, c->op.cmd);
	return refuse(R_OP_UNSUPPORTED, c->op.cmd, 0, __HYPERVISOR_domctl);
}

static int unsupported(struct domctl_call *c)
{
	return refuse(R_OP_UNSUPPORTED, c->op.cmd, 0, __HYPERVISOR_domctl);
}

static int architecture(struct domctl_call *c)
{
	return arch_domctl(c->v, c->d, &c->op, &c->answer, c->a);
}

/* ---- dispatch ----------------------------------------------------------------------------------- */

static domctl_fn *const handlers[] = {
	[XEN_DOMCTL_createdomain] = create,
	[XEN_DOMCTL_destroydomain] = destroy,
	[XEN_DOMCTL_pausedomain] = pause,
	[XEN_DOMCTL_unpausedomain] = unpause,
	[XEN_DOMCTL_getdomaininfo] = info,
	[XEN_DOMCTL_setvcpuaffinity] = domctl_set_affinity,
	[XEN_DOMCTL_shadow_op] = domctl_shadow,
	[XEN_DOMCTL_max_mem] = domctl_max_mem,
	[XEN_DOMCTL_setvcpucontext] = domctl_set_context,
	[XEN_DOMCTL_getvcpucontext] = domctl_get_context,
	[XEN_DOMCTL_getvcpuinfo] = domctl_vcpu_info,
	[XEN_DOMCTL_max_vcpus] = domctl_max_vcpus,
	[XEN_DOMCTL_scheduler_op] = domctl_scheduler,
	[XEN_DOMCTL_setdomainhandle] = set_handle,
	[XEN_DOMCTL_setdebugging] = set_debugging,
	[XEN_DOMCTL_irq_permission] = domctl_irq_permission,
	[XEN_DOMCTL_iomem_permission] = domctl_iomem_permission,
	[XEN_DOMCTL_ioport_permission] = architecture,
	[XEN_DOMCTL_hypercall_init] = architecture,
	[XEN_DOMCTL_settimeoffset] = set_time_offset,
	[XEN_DOMCTL_getvcpuaffinity] = domctl_get_affinity,
	[XEN_DOMCTL_resumedomain] = resume,
	[XEN_DOMCTL_sendtrigger] = architecture,
	[XEN_DOMCTL_subscribe] = subscribe,
	[XEN_DOMCTL_gethvmcontext] = domctl_get_state,
	[XEN_DOMCTL_sethvmcontext] = domctl_set_state,
	[XEN_DOMCTL_set_address_size] = architecture,
	[XEN_DOMCTL_get_address_size] = architecture,
	[XEN_DOMCTL_assign_device] = architecture,
	[XEN_DOMCTL_bind_pt_irq] = architecture,
	[XEN_DOMCTL_memory_mapping] = domctl_memory_mapping,
	[XEN_DOMCTL_ioport_mapping] = architecture,
	[XEN_DOMCTL_set_ext_vcpucontext] = architecture,
	[XEN_DOMCTL_get_ext_vcpucontext] = architecture,
	[XEN_DOMCTL_test_assign_device] = architecture,
	[XEN_DOMCTL_set_target] = set_target,
	[XEN_DOMCTL_deassign_device] = architecture,
	[XEN_DOMCTL_unbind_pt_irq] = architecture,
	[XEN_DOMCTL_get_device_group] = architecture,
	[XEN_DOMCTL_debug_op] = unsupported,
	[XEN_DOMCTL_gethvmcontext_partial] = domctl_get_state_record,
	[XEN_DOMCTL_vm_event_op] = unsupported,
	[XEN_DOMCTL_mem_sharing_op] = unsupported,
	[XEN_DOMCTL_gettscinfo] = architecture,
	[XEN_DOMCTL_settscinfo] = architecture,
	[XEN_DOMCTL_getpageframeinfo3] = domctl_frame_info,
	[XEN_DOMCTL_setvcpuextstate] = architecture,
	[XEN_DOMCTL_getvcpuextstate] = architecture,
	[XEN_DOMCTL_set_access_required] = unsupported,
	[XEN_DOMCTL_set_virq_handler] = set_virq_handler,
	[XEN_DOMCTL_setnodeaffinity] = domctl_node_affinity,
	[XEN_DOMCTL_getnodeaffinity] = domctl_node_affinity,
	[XEN_DOMCTL_cacheflush] = domctl_cacheflush,
	[XEN_DOMCTL_get_vcpu_msrs] = architecture,
	[XEN_DOMCTL_set_vcpu_msrs] = architecture,
	[XEN_DOMCTL_monitor_op] = unsupported,
	[XEN_DOMCTL_soft_reset] = unsupported,
	[XEN_DOMCTL_vuart_op] = architecture,
	[XEN_DOMCTL_get_cpu_policy] = architecture,
	[XEN_DOMCTL_set_cpu_policy] = architecture,
	[XEN_DOMCTL_vmtrace_op] = unsupported,
	[XEN_DOMCTL_get_paging_mempool_size] = domctl_get_paging_pool,
	[XEN_DOMCTL_set_paging_mempool_size] = domctl_set_paging_pool,
};

static int run(struct domctl_call *c)
{
	domctl_fn *fn = c->op.cmd < ARRAY_SIZE(handlers)
			    ? handlers[index_nospec(c->op.cmd, ARRAY_SIZE(handlers))]
			    : NULL;

	return fn ? fn(c) : refuse(R_NOT_IMPLEMENTED, c->op.cmd, 0, __HYPERVISOR_domctl);
}

/* A number that means a domain here: DOMID_SELF is none. */
static int find_domain(struct domctl_call *c)
{
	domid_t id = c->op.domain;

	if (c->op.cmd == XEN_DOMCTL_createdomain)
		return 0;
	if (id == DOMID_INVALID &&
	    (c->op.cmd == XEN_DOMCTL_test_assign_device || c->op.cmd == XEN_DOMCTL_vm_event_op))
		return 0;
	c->d = id < DOMID_FIRST_RESERVED ? domain_get(id) : NULL;
	if (!c->d && c->op.cmd != XEN_DOMCTL_getdomaininfo)
		return refuse(R_NO_SUCH_DOMAIN, id, 0, 0);
	return 0;
}

static int64_t call(struct domctl_call *c)
{
	int err = policy_domctl(c->v->domain, c->d, c->op.cmd), put;

	if (!err)
		err = guest_writable(c->v, gva(c->a[0]), sizeof(c->op));
	if (err)
		return err;
	err = run(c);
	if (err == -ERR_RESTART) {
		c->a[1] = CONTROL_RESUMED;
		return err;
	}
	put = c->answer ? guest_put(c->v, gva(c->a[0]), &c->op) : 0;
	return err ? err : put;
}

int64_t abi_domctl(struct vcpu *v, uint64_t *a)
{
	struct domctl_call c = { .v = v, .a = a };
	int64_t result;
	int err;

	err = guest_get(v, &c.op, gva(a[0]));
	if (err)
		return err;
	if (c.op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
		return refuse(R_BAD_CONTROL_VERSION, c.op.cmd, XEN_DOMCTL_INTERFACE_VERSION,
			      c.op.interface_version);
	err = find_domain(&c);
	if (err)
		return err;
	result = call(&c);
	if (c.d)
		domain_put(c.d);
	return result;
}
