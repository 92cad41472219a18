/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hypercalls with which a toolstack makes and runs domains (xen/domctl.h, xen/memory.h, xen/hvm/params.h). All return 0 or a negative
 * errno value as the hypervisor gave it; -ENOMEM may also mean that no buffer was to be had.
 */
#ifndef TOOLS_HCALL_DOMCTL_H
#define TOOLS_HCALL_DOMCTL_H

#include "hcall.h"
#include <xen/xen.h>
#include <xen/domctl.h>

#ifndef MUST_USE
#define MUST_USE __attribute__((warn_unused_result))
#endif

/* One operation with a copy of *op; its answer is copied back. `op`->interface_version is filled in here. */
MUST_USE int hcall_domctl(struct hcall *h, struct xen_domctl *op);

/* createdomain; *domid is the new one's. */
MUST_USE int hcall_create(struct hcall *h, const struct xen_domctl_createdomain *how,
			  uint16_t *domid);
/* An operation without arguments: XEN_DOMCTL_pausedomain, _unpausedomain, _destroydomain. */
MUST_USE int hcall_simple(struct hcall *h, uint16_t domid, uint32_t cmd);
/* Of exactly this domain; -ESRCH: there is none. */
MUST_USE int hcall_info(struct hcall *h, uint16_t domid, struct xen_domctl_getdomaininfo *info);
MUST_USE int hcall_max_mem(struct hcall *h, uint16_t domid, uint64_t kib);
/* For second-stage tables; bytes, a multiple of the page size. */
MUST_USE int hcall_paging_pool(struct hcall *h, uint16_t domid, uint64_t bytes);
MUST_USE int hcall_set_context(struct hcall *h, uint16_t domid, uint32_t vcpu,
			       const vcpu_guest_context_t *context);
/* Of a paused domain, or one that has shut down; -ENODATA: the vCPU was never started; -ENOENT or -EINVAL: there is none. */
MUST_USE int hcall_get_context(struct hcall *h, uint16_t domid, uint32_t vcpu,
			       vcpu_guest_context_t *context);
/*
 * x86: the state records of a domain (xen/hvm/save.h), all of them, to *records with room for *size bytes; *size is then what they took. Without
 * records only *size is filled in: what they may take at most.
 */
MUST_USE int hcall_get_state(struct hcall *h, uint16_t domid, void *records, uint32_t *size);
/* Records that begin with a header and end with an END; parts of the state that are not named stay as they are. */
MUST_USE int hcall_set_state(struct hcall *h, uint16_t domid, const void *records, uint32_t size);
/* x86: what XENMEM_memory_map tells the domain; n entries, ascending. */
struct hvm_memmap_table_entry;
MUST_USE int hcall_set_memory_map(struct hcall *h, uint16_t domid,
				  const struct hvm_memmap_table_entry *map, uint32_t n);
/* Which CPUs vCPU `vcpu` may run on: `bits` of them in `map`, the lowest first. */
MUST_USE int hcall_set_affinity(struct hcall *h, uint16_t domid, uint32_t vcpu, const void *map,
				uint32_t bits);
MUST_USE int hcall_get_affinity(struct hcall *h, uint16_t domid, uint32_t vcpu, void *map,
				uint32_t bits);
/* -ENOENT: no such vCPU. */
MUST_USE int hcall_vcpu(struct hcall *h, uint16_t domid, uint32_t vcpu,
			struct xen_domctl_getvcpuinfo *info);
/* Its share of the CPUs under credit2, 1 to 65535; -EINVAL under another scheduler. */
MUST_USE int hcall_weight(struct hcall *h, uint16_t domid, uint16_t *weight);
MUST_USE int hcall_set_weight(struct hcall *h, uint16_t domid, uint16_t weight);
/* Arm: guest frames that were written here are cleaned to memory. */
MUST_USE int hcall_cacheflush(struct hcall *h, uint16_t domid, uint64_t gfn, uint64_t n);
MUST_USE int hcall_get_param(struct hcall *h, uint16_t domid, uint32_t index, uint64_t *value);
MUST_USE int hcall_set_param(struct hcall *h, uint16_t domid, uint32_t index, uint64_t value);

/* n extents of 2^order frames at gfn[]: how many were populated before something failed. */
MUST_USE long hcall_populate(struct hcall *h, uint16_t domid, const uint64_t *gfn, unsigned n,
			     unsigned order);
/*
 * Copy `n` bytes to guest address `at` of a domain, and out of the caches. Krypton's own (hv/include/public/krypton.h): -EOPNOTSUPP where there is no such call, or `data` does not stay
 * reachable for it: all of it is to be copied another way. -EFAULT: the file that `data` is of became shorter; -EINVAL: there is no memory of the domain's: part of it may have been copied.
 */
MUST_USE int hcall_fill(struct hcall *h, uint16_t domid, uint64_t at, const void *data, size_t n);
/* The highest frame number that ever had memory behind it. XENMEM_maximum_gpfn. */
MUST_USE int hcall_max_gfn(struct hcall *h, uint16_t domid, uint64_t *gfn);
/* Which of the `n` frames from `first` on, HCALL_FRAMES at most, the domain has memory behind, at this moment. getpageframeinfo3; -ENOSYS or -EOPNOTSUPP where nobody tells. */
#define HCALL_FRAMES 1024u
MUST_USE int hcall_frames(struct hcall *h, uint16_t domid, uint64_t first, unsigned n, bool *there);
/* A port of `domid` that `remote` may bind to. */
MUST_USE int hcall_alloc_unbound(struct hcall *h, uint16_t domid, uint16_t remote, uint32_t *port);

#endif
