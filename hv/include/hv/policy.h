/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May A do this to B? One function a question, each asked by the abi handler before anything
 * changes. The answer follows from roles and the target field and, later, from a loaded policy. All
 * return 0 or a refusal (R_NOT_PERMITTED).
 */
#ifndef HV_POLICY_H
#define HV_POLICY_H

#include <hv/compiler.h>

struct domain;

/* `subject` manages `object`: another domain's memory, channels, vCPUs. Everybody manages itself. */
MUST_USE int policy_manage(const struct domain *subject, const struct domain *object, uint32_t op);
/* Event channel operations naming another domain as owner of the port. */
MUST_USE int policy_evtchn_alloc(const struct domain *subject, const struct domain *owner);
MUST_USE int policy_evtchn_bind(const struct domain *subject, const struct domain *remote);
/* Map or copy what `owner` granted. */
MUST_USE int policy_grant(const struct domain *subject, const struct domain *owner);
/* Foreign mapping and memory operations on `object`. */
MUST_USE int policy_memory(const struct domain *subject, const struct domain *object);
/* hvm_op get and set of a parameter. */
MUST_USE int policy_hvm_param(const struct domain *subject, const struct domain *object,
			      uint32_t index, bool set);
/* physdev, platform operations; machine shutdown. */
MUST_USE int policy_hardware(const struct domain *subject, uint32_t op);
/* The hypervisor's console: write, read. */
MUST_USE int policy_console(const struct domain *subject, uint32_t op);
/* A global VIRQ may be bound. */
MUST_USE int policy_virq(const struct domain *subject, uint32_t virq);
/* domctl (`object` NULL: none yet) and sysctl. Nobody manages itself here without the role. */
MUST_USE int policy_domctl(const struct domain *subject, const struct domain *object, uint32_t op);
MUST_USE int policy_sysctl(const struct domain *subject, uint32_t op);

/* The domain that owns the machine, receives its global VIRQs and whose end is the machine's end; RCU; or NULL. */
struct domain *policy_hardware_domain(void);

#endif
