/* SPDX-License-Identifier: Apache-2.0 */
/* HYPERVISOR_console_io: the machine's console for the domain that has it (dom0). xen/xen.h. */
#include <hv/console.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/hypercall.h>
#include <hv/policy.h>

#define CHUNK 128u
#define STEP  1024u /* bytes between two looks at what else there is to do */

/* A full buffer holds the writer up: it enters the call again until there is room. */
static int64_t console_write(struct vcpu *v, uint64_t *a)
{
	uint32_t count = (uint32_t)a[1], done = 0;
	char buf[CHUNK];

	while (done < count && done < STEP) {
		uint32_t n = MIN(count - done, CHUNK);
		int err;

		if (console_congested(v->domain))
			break;
		err = guest_read(v, buf, gva(a[2] + done), n);
		if (err)
			return err;
		console_domain_write(v->domain, buf, n);
		done += n;
	}
	if (done == count)
		return 0;
	a[1] = count - done;
	a[2] += done;
	if (!done)
		sched_yield(v);
	return -ERR_RESTART;
}

/* Returns the number of bytes, as the ABI has it. */
static int64_t console_read(struct vcpu *v, uint64_t *a)
{
	uint32_t count = (uint32_t)a[1], done = 0;
	char buf[CHUNK];
	int err = guest_writable(v, gva(a[2]), MIN(count, STEP));

	while (!err && done < count && done < STEP) {
		size_t n = console_domain_read(v->domain, buf, MIN(count - done, CHUNK));

		if (!n)
			break;
		err = guest_write(v, gva(a[2] + done), buf, n);
		done += (uint32_t)n;
	}
	return err ? err : (int64_t)done;
}

int64_t abi_console_io(struct vcpu *v, uint64_t *a)
{
	uint32_t cmd = (uint32_t)a[0];
	int err = policy_console(v->domain, cmd);

	if (err)
		return err;
	switch (cmd) {
	case CONSOLEIO_write: return console_write(v, a);
	case CONSOLEIO_read: return console_read(v, a);
	default: return refuse(R_NOT_IMPLEMENTED, cmd, 0, __HYPERVISOR_console_io);
	}
}
