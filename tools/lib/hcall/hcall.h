/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed hypercalls for tools. A handle stands on one of two back ends: the running hypervisor through libxencall
 * (linux.c), or libhvcore.a within the same process. Structures are those of <xen/>; nothing is restated.
 *
 * Calls return 0 or more, or a negative errno value as the hypervisor gave it; hcall_reason() then says why, on Krypton.
 * A handle is used by one thread at a time.
 */
#ifndef TOOLS_HCALL_H
#define TOOLS_HCALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hcall;

/* What a back end does. Buffers are memory that the hypervisor can reach. */
struct hcall_ops {
	long (*call)(struct hcall *h, unsigned op, const uint64_t arg[5], unsigned nr_args);
	void *(*buffer)(struct hcall *h, size_t size); /* zeroed; NULL: no memory */
	void (*free)(struct hcall *h, void *buffer);
	/*
	 * Ordinary memory of the process, [p, p + n), can be reached for the moment, though it may be that of a file: 0 or a negative errno value, -EFAULT where the
	 * file became shorter, -EOPNOTSUPP where the kernel has no way to it. NULL: only buffers can be reached.
	 */
	int (*reach)(struct hcall *h, const void *p, size_t n);
	void (*close)(struct hcall *h);
};

struct hcall {
	const struct hcall_ops *ops;
};

/* The running hypervisor; NULL with errno when there is none or it may not be called. */
struct hcall *hcall_open(void);
void hcall_close(struct hcall *h);

struct hcall_domain {
	uint16_t id;
	bool dying, shutdown, paused;
	uint8_t shutdown_code;
	uint64_t pages, max_pages; /* of 4 KiB */
	uint64_t cpu_ns;           /* CPU time that its vCPUs have used */
	uint32_t vcpus, online;    /* how many vCPUs it has, and how many of them are up */
	uint32_t pool;
	uint8_t uuid[16];
};

/* Up to n domains from number `first` on, ascending: how many there are. XEN_SYSCTL_getdomaininfolist. */
int hcall_domains(struct hcall *h, unsigned first, struct hcall_domain *list, unsigned n);

/*
 * Is port `port` of this domain joined to port `remote_port` of domain `remote`? 1 or 0. What joined them ends with the other domain, also when another one gets its number.
 * EVTCHNOP_status.
 */
int hcall_joined(struct hcall *h, uint32_t port, uint16_t remote, uint32_t remote_port);

/* The hypervisor's version, major << 16 | minor. XENVER_version. */
long hcall_version(struct hcall *h);

/* What XENVER_`what` (xen/version.h) fills in, `n` bytes; -EPERM: only more trusted domains are told. */
int hcall_version_part(struct hcall *h, unsigned what, void *to, size_t n);

/*
 * Why the last call was refused, one line of text into `line`: -ENOSYS on another hypervisor than Krypton (hypercall 63,
 * hv/include/public/krypton.h). The slot is that of the vCPU that asks, so ask at once; when
 * the thread has moved since, the line may be about somebody else's call.
 */
int hcall_reason(struct hcall *h, char *line, size_t size);

#endif
