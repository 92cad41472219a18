/* SPDX-License-Identifier: Apache-2.0 */
/* kr shutdown, kr reboot: ask the guest's kernel, by control/shutdown in its part of the store. */
#include "ctl.h"
#include <string.h>

int cmd_shutdown(struct ctl *c, int argc, char **argv)
{
	bool reboot = strcmp(c->command->name, "reboot") == 0;
	struct system s;
	struct fault f;
	uint16_t domid;
	int status = ctl_domain(c, argc, argv, &s, &domid);

	if (status)
		return status;
	if (!store_ask(&s, domid, reboot ? "reboot" : "poweroff", &f))
		status = ctl_refuse(c, &f);
	system_close(&s);
	return status;
}
