/* SPDX-License-Identifier: Apache-2.0 */
/* kr destroy: end a domain at once, without asking its kernel. */
#include "ctl.h"
#include "domain/device.h"

int cmd_destroy(struct ctl *c, int argc, char **argv)
{
	struct system s;
	struct fault f;
	uint16_t domid;
	int lock, status = ctl_domain(c, argc, argv, &s, &domid);

	if (status)
		return status;
	lock = system_lock(&s, &f);
	status = lock < 0 ? ctl_refuse(c, &f)
			  : ctl_result(c, &s, domain_unmake(s.hcall, domid), "destroy");
	if (status == CTL_DONE) {
		devices_remove(&s, domid);
		store_remove(&s, domid);
	}
	system_unlock(lock);
	system_close(&s);
	return status;
}
