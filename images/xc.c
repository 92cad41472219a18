// SPDX-License-Identifier: Apache-2.0
/* xc COMMAND: what the tests in dom0 ask of libxenctrl where Debian's xl has no command for it, or
 * where what xl prints is too coarse.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>

/* Pages that are free, the machine's, and those promised to domains that are being built. */
static int memory(xc_interface *xch, char **arg)
{
	xc_physinfo_t info = { 0 };

	(void)arg;
	if (xc_physinfo(xch, &info))
		return -1;
	printf("free %" PRIu64 " scrub %" PRIu64 " total %" PRIu64 " outstanding %" PRIu64 "\n",
	       (uint64_t)info.free_pages, (uint64_t)info.scrub_pages, (uint64_t)info.total_pages,
	       (uint64_t)info.outstanding_pages);
	return 0;
}

/* A line for each domain: number, state, memory in KiB and its limit, vCPUs. */
static int domains(xc_interface *xch, char **arg)
{
	xc_dominfo_t info[64];
	int n = xc_domain_getinfo(xch, 0, 64, info);

	(void)arg;
	for (int i = 0; i < n; i++)
		printf("%u %s%s%s%s%s%s mem %lu max %lu vcpus %u of %u\n", info[i].domid,
		       info[i].running ? "r" : "", info[i].blocked ? "b" : "",
		       info[i].paused ? "p" : "", info[i].shutdown ? "s" : "",
		       info[i].dying ? "d" : "", info[i].crashed ? "c" : "", info[i].nr_pages * 4,
		       info[i].max_memkb, info[i].nr_online_vcpus, info[i].max_vcpu_id + 1);
	return n < 0 ? -1 : 0;
}

static int setmaxmem(xc_interface *xch, char **arg)
{
	return xc_domain_setmaxmem(xch, strtoul(arg[0], NULL, 0), strtoull(arg[1], NULL, 0));
}

static const struct {
	const char *name, *usage;
	int arguments;
	int (*run)(xc_interface *, char **);
} commands[] = {
	{ "memory", "", 0, memory },
	{ "domains", "", 0, domains },
	{ "setmaxmem", " DOMID KIB", 2, setmaxmem },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) != 0 || argc != 2 + commands[i].arguments)
			continue;
		xc_interface *xch = xc_interface_open(NULL, NULL, 0);

		if (!xch || commands[i].run(xch, argv + 2)) {
			perror(argv[1]);
			return 1;
		}
		return 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, "xc %s%s\n", commands[i].name, commands[i].usage);
	return 2;
}
