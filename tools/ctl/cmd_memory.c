/* SPDX-License-Identifier: Apache-2.0 */
/* kr mem-set, kr mem-max: how much memory a domain is to have, and can have. */
#include "ctl.h"
#include "domain/change.h"
#include <getopt.h>
#include <string.h>

int cmd_memory(struct ctl *c, int argc, char **argv)
{
	bool most = strcmp(c->command->name, "mem-max") == 0;
	struct system s;
	struct fault f;
	uint16_t domid;
	uint64_t kib;
	int status = ctl_domain_and(c, argc, argv, 1, 1, &s, &domid);

	if (status)
		return status;
	if (!size_read(argv[optind + 1], &kib))
		status = ctl_usage(c, "%s is no amount of memory: 512, 512m, 1.5g",
				   argv[optind + 1]);
	else if (most ? !domain_set_maxmem(&s, domid, kib, &f)
		      : !domain_set_target(&s, domid, kib, &f))
		status = ctl_refuse(c, &f);
	else
		json_object_set_new(c->object, most ? "maxmem_kib" : "target_kib",
				    json_integer((json_int_t)kib));
	system_close(&s);
	return status;
}
