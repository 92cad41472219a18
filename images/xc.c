// SPDX-License-Identifier: Apache-2.0
/* xc COMMAND: what the tests in dom0 ask of libxenctrl where Debian's xl has no command for it, or
 * where what xl prints is too coarse; and the operations that bench/tools.py measures. Under -icount
 * a nanosecond is an instruction, so what is printed as time is a count.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xencall.h>
#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

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

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The shortest of several runs of `count` calls, for one call: what else happens only adds. */
#define SHORTEST(count, call)                                     \
	({                                                        \
		uint64_t best_ = UINT64_MAX;                      \
		for (int run_ = 0; run_ < 5; run_++) {            \
			uint64_t from_ = now();                   \
			for (unsigned i_ = 0; i_ < (count); i_++) \
				call;                             \
			if (now() - from_ < best_)                \
				best_ = now() - from_;            \
		}                                                 \
		best_ / (count);                                  \
	})

/* XENVER_version by privcmd, less what an ioctl costs that privcmd refuses. */
static int null(xc_interface *xch, char **arg)
{
	xencall_handle *h = xencall_open(NULL, 0);
	uint64_t call, bare;

	(void)xch;
	(void)arg;
	if (!h || xencall2(h, __HYPERVISOR_xen_version, XENVER_version, 0) < 0)
		return -1;
	call = SHORTEST(2000, xencall2(h, __HYPERVISOR_xen_version, XENVER_version, 0));
	bare = SHORTEST(2000, ioctl(xencall_fd(h), 0));
	printf("%" PRIu64 "\n", call - bare);
	return 0;
}

/* In a guest: a port and a page for domain 0, said on stdout; each event is sent back. */
static int serve(xc_interface *xch, char **arg)
{
	xenevtchn_handle *e = xenevtchn_open(NULL, 0);
	xengntshr_handle *g = xengntshr_open(NULL, 0);
	xenevtchn_port_or_error_t port = e ? xenevtchn_bind_unbound_port(e, 0) : -1;
	uint32_t ref;

	(void)xch;
	(void)arg;
	if (port < 0 || !g || !xengntshr_share_pages(g, 0, 1, &ref, 1))
		return -1;
	printf("SERVES port=%d ref=%u.\n", port, ref);
	fflush(stdout);
	for (;;) {
		xenevtchn_port_or_error_t got = xenevtchn_pending(e);

		if (got < 0 || xenevtchn_unmask(e, (evtchn_port_t)got) || xenevtchn_notify(e, port))
			return -1;
	}
}

static int ping(xenevtchn_handle *e, evtchn_port_t port)
{
	return xenevtchn_notify(e, port) || xenevtchn_pending(e) < 0 || xenevtchn_unmask(e, port)
		   ? -1
		   : 0;
}

/* A port of ours that is joined to the guest's: its number and the port's are the first arguments. Negative: none. */
static xenevtchn_port_or_error_t bound(char **arg, xenevtchn_handle **e)
{
	*e = xenevtchn_open(NULL, 0);
	return *e ? xenevtchn_bind_interdomain(*e, strtoul(arg[0], NULL, 0),
					       strtoul(arg[1], NULL, 0))
		  : -1;
}

/* An event to the guest's `serve` and the answer, all of it: both kernels and programs, two switches. */
static int roundtrip(xc_interface *xch, char **arg)
{
	xenevtchn_handle *e;
	xenevtchn_port_or_error_t port = bound(arg, &e);

	(void)xch;
	if (port < 0)
		return -1;
	ping(e, port); /* binding may leave an event behind */
	printf("%" PRIu64 "\n", SHORTEST(100, if (ping(e, port)) return -1));
	return 0;
}

/* An event to a guest that has not handled the one before: the hypercall, and the device around it. */
static int sends(xc_interface *xch, char **arg)
{
	xenevtchn_handle *e;
	xenevtchn_port_or_error_t port = bound(arg, &e);

	(void)xch;
	if (port < 0)
		return -1;
	printf("%" PRIu64 "\n", SHORTEST(1000, if (xenevtchn_notify(e, port)) return -1));
	return 0;
}

/* Map and unmap a page of the guest's `serve` by gntdev. */
static int grant(xc_interface *xch, char **arg)
{
	xengnttab_handle *g = xengnttab_open(NULL, 0);
	uint32_t domid = strtoul(arg[0], NULL, 0), ref = strtoul(arg[1], NULL, 0);

	(void)xch;
	if (!g)
		return -1;
	printf("%" PRIu64 "\n", SHORTEST(50, {
		       void *p = xengnttab_map_grant_ref(g, domid, ref, PROT_READ | PROT_WRITE);

		       if (!p || xengnttab_unmap(g, p, 1))
			       return -1;
	       }));
	return 0;
}

/* How long a shell command takes. */
static int duration(xc_interface *xch, char **arg)
{
	uint64_t from = now();
	int status;
	pid_t child = fork();

	(void)xch;
	if (child == 0) {
		execl("/bin/sh", "sh", "-c", arg[0], NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status)
		return -1;
	printf("%" PRIu64 "\n", now() - from);
	return 0;
}

static const struct {
	const char *name, *usage;
	int arguments;
	int (*run)(xc_interface *, char **);
} commands[] = {
	{ "memory", "", 0, memory },
	{ "domains", "", 0, domains },
	{ "setmaxmem", " DOMID KIB", 2, setmaxmem },
	{ "null", "", 0, null },
	{ "serve", "", 0, serve },
	{ "roundtrip", " DOMID PORT", 2, roundtrip },
	{ "send", " DOMID PORT", 2, sends },
	{ "grant", " DOMID REF", 2, grant },
	{ "time", " COMMAND", 1, duration },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) != 0 || argc != 2 + commands[i].arguments)
			continue;
		xc_interface *xch = xc_interface_open(NULL, NULL, 0);

		if ((!xch && commands[i].run != serve && commands[i].run != duration) ||
		    commands[i].run(xch, argv + 2)) {
			perror(argv[1]);
			return 1;
		}
		return 0;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, "xc %s%s\n", commands[i].name, commands[i].usage);
	return 2;
}
