/* SPDX-License-Identifier: Apache-2.0 */
/* kr debug-key: keys of the hypervisor's console; what they print is in its log. */
#include "ctl.h"
#include "lib/hcall/sysctl.h"
#include <getopt.h>
#include <string.h>

#define MOST_KEYS 32

int cmd_debug_key(struct ctl *c, int argc, char **argv)
{
	struct system s;
	struct fault f;
	int status;

	if (ctl_option(c, argc, argv, "", NULL) == '?')
		return CTL_USAGE;
	if (argc - optind != 1 || !*argv[optind] || strlen(argv[optind]) > MOST_KEYS)
		return ctl_usage(c, "one to %d keys are expected; h prints what there is",
				 MOST_KEYS);
	if (!system_open(&s, SYSTEM_CALLS, &f))
		return ctl_refuse(c, &f);
	status = ctl_result(c, &s, hcall_debug_keys(s.hcall, argv[optind]), "debug-key");
	system_close(&s);
	return status;
}
