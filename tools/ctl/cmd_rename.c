/* SPDX-License-Identifier: Apache-2.0 */
/* kr rename: another name for a domain. */
#include "ctl.h"
#include "domain/change.h"
#include <getopt.h>

int cmd_rename(struct ctl *c, int argc, char **argv)
{
	struct system s;
	struct fault f;
	uint16_t domid;
	int status = ctl_domain_and(c, argc, argv, 1, 1, &s, &domid);

	if (status)
		return status;
	if (!domain_rename(&s, domid, argv[optind + 1], &f))
		status = ctl_refuse(c, &f);
	system_close(&s);
	return status;
}
