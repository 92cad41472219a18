/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled for 32 bits to assembly text, of which the build makes <asm/layout32.h>: the layouts that 32-bit guests have of the public
 * structures which hvm/hypercall32.c knows.
 */
#include <stdint.h>

#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define SIZE(name)  DEFINE(SIZE32_##name, sizeof(struct name))
#define PLACE(s, f) OFFSET(OFFSET32_##s##_##f, struct s, f)

/* Those that are to be the same: hypercall32.c compares. */
SIZE(evtchn_alloc_unbound)
SIZE(evtchn_bind_interdomain)
SIZE(evtchn_bind_virq)
SIZE(evtchn_bind_pirq)
SIZE(evtchn_bind_ipi)
SIZE(evtchn_close)
SIZE(evtchn_send)
SIZE(evtchn_status)
SIZE(evtchn_bind_vcpu)
SIZE(evtchn_unmask)
SIZE(evtchn_reset)
SIZE(evtchn_init_control)
SIZE(evtchn_expand_array)
SIZE(evtchn_set_priority)
SIZE(gnttab_map_grant_ref)
SIZE(gnttab_unmap_grant_ref)
SIZE(gnttab_query_size)
SIZE(gnttab_get_version)
SIZE(gnttab_set_version)
SIZE(sched_shutdown)
SIZE(sched_remote_shutdown)
SIZE(sched_watchdog)
SIZE(vcpu_set_periodic_timer)
SIZE(vcpu_register_vcpu_info)
SIZE(vcpu_hvm_context)
SIZE(xen_hvm_param)
SIZE(xen_hvm_evtchn_upcall_vector)
SIZE(xen_hvm_get_time)
SIZE(xen_feature_info)
SIZE(xen_memory_domain)

/* Those that are not. */
SIZE(xen_add_to_physmap)
PLACE(xen_add_to_physmap, domid)
PLACE(xen_add_to_physmap, size)
PLACE(xen_add_to_physmap, space)
PLACE(xen_add_to_physmap, idx)
PLACE(xen_add_to_physmap, gpfn)
SIZE(xen_remove_from_physmap)
PLACE(xen_remove_from_physmap, domid)
PLACE(xen_remove_from_physmap, gpfn)
SIZE(vcpu_set_singleshot_timer)
PLACE(vcpu_set_singleshot_timer, timeout_abs_ns)
PLACE(vcpu_set_singleshot_timer, flags)
