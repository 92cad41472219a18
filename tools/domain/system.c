/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the hypervisor's devices and the store, with a cause that a person can act on. */
#include "create.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PRIVCMD "/dev/xen/privcmd"

static bool no_hypervisor(struct fault *f)
{
	if (errno == EACCES || errno == EPERM)
		return fault_set(f, F_PRIVILEGE, "%s cannot be opened: %s", PRIVCMD,
				 strerror(errno));
	if (access("/sys/hypervisor/type", F_OK) != 0)
		return fault_set(f, F_NO_HYPERVISOR,
				 "this system does not run on a Xen-compatible hypervisor: there "
				 "is no /sys/hypervisor");
	return fault_set(f, F_NO_HYPERVISOR,
			 "%s cannot be opened: %s: is the module xen-privcmd loaded?", PRIVCMD,
			 strerror(errno));
}

bool system_open(struct system *s, enum system_parts parts, struct fault *f)
{
	*s = (struct system){ 0 };
	errno = 0;
	s->hcall = hcall_open();
	if (!s->hcall)
		return no_hypervisor(f);
	if (parts >= SYSTEM_STORE) {
		s->store = client_open();
		if (!s->store) {
			fault_fill(f, F_NO_STORE,
				   "the store daemon does not answer: %s: is it running?",
				   strerror(errno));
			system_close(s);
			return false;
		}
	}
	if (parts >= SYSTEM_ALL) {
		s->fmem = fmem_open();
		if (!s->fmem) {
			system_close(s);
			return no_hypervisor(f);
		}
	}
	return true;
}

void system_close(struct system *s)
{
	int err = errno;

	fmem_close(s->fmem);
	client_close(s->store);
	hcall_close(s->hcall);
	*s = (struct system){ 0 };
	errno = err;
}
