/* SPDX-License-Identifier: Apache-2.0 */
/* kr pause, kr unpause: a paused domain's vCPUs do not run, and its time stands. */
#include "ctl.h"
#include "lib/hcall/domctl.h"
#include <string.h>

int cmd_pause(struct ctl *c, int argc, char **argv)
{
	bool pause = strcmp(c->command->name, "pause") == 0;
	struct system s;
	uint16_t domid;
	int status = ctl_domain(c, argc, argv, &s, &domid), err;

	if (status)
		return status;
	err = hcall_simple(s.hcall, domid,
			   pause ? XEN_DOMCTL_pausedomain : XEN_DOMCTL_unpausedomain);
	status = ctl_result(c, &s, err, c->command->name);
	system_close(&s);
	return status;
}
