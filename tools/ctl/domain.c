/* SPDX-License-Identifier: Apache-2.0 */
/* What commands about one domain begin and end with. */
#include "build/fill.h"
#include "ctl.h"
#include <getopt.h>

int ctl_domain(struct ctl *c, int argc, char **argv, struct system *s, uint16_t *domid)
{
	struct fault f;

	if (ctl_option(c, argc, argv, "", NULL) == '?')
		return CTL_USAGE;
	if (argc - optind != 1)
		return ctl_usage(c, "one domain is expected, by name or number");
	if (!system_open(s, SYSTEM_STORE, &f))
		return ctl_refuse(c, &f);
	if (store_find(s, argv[optind], domid, &f))
		return CTL_DONE;
	system_close(s);
	return ctl_refuse(c, &f);
}

int ctl_result(struct ctl *c, const struct system *s, int err, const char *what)
{
	struct fault f;

	if (!err)
		return CTL_DONE;
	hypervisor_fault(s->hcall, err, what, &f);
	return ctl_refuse(c, &f);
}
