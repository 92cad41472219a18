/* SPDX-License-Identifier: Apache-2.0 */
/* kr destroy: end a domain at once, without asking its kernel. */
#include "ctl.h"
#include "domain/device.h"
#include "lib/hcall/domctl.h"
#include "progress.h"
#include <errno.h>
#include <getopt.h>

#define LARGE_PAGES (1024 * 1024 * 1024ull / 4096)

static const struct option long_options[] = { { "leftovers", required_argument, NULL, 'L' },
					      { NULL, 0, NULL, 0 } };

/* What a domain that is gone has left: its devices' back ends, and what the store has. */
static int clear(struct ctl *c, const char *number)
{
	struct xen_domctl_getdomaininfo info;
	struct system s;
	struct fault f;
	uint32_t domid;
	int lock, status = CTL_DONE;

	if (!ctl_number(number, 1, DOMID_FIRST_RESERVED - 1, &domid))
		return ctl_usage(c, "%s is no number of a domain", number);
	if (!system_open(&s, SYSTEM_STORE, &f))
		return ctl_refuse(c, &f);
	s.watch = progress_begin(number);
	lock = system_lock(&s, &f);
	if (lock < 0) {
		status = ctl_refuse(c, &f);
	} else if (hcall_info(s.hcall, (uint16_t)domid, &info) != -ESRCH) {
		status = ctl_usage(c, "domain %u is there: destroy it", domid);
	} else {
		devices_remove(&s, (uint16_t)domid);
		store_remove(&s, (uint16_t)domid);
	}
	system_unlock(lock);
	progress_end();
	system_close(&s);
	return status;
}

/* Taking it away is one call, which takes a while. */
static bool is_large(const struct system *s, uint16_t domid)
{
	struct xen_domctl_getdomaininfo info;

	return hcall_info(s->hcall, domid, &info) == 0 && info.tot_pages >= LARGE_PAGES;
}

/*
 * The back ends are told first: the kernel takes its time with them, in which the memory is given back. The guest stands still and sees nothing of it;
 * one that cannot be paused is refused, or dying already.
 */
static int end_domain(const struct system *s, uint16_t domid)
{
	if (hcall_simple(s->hcall, domid, XEN_DOMCTL_pausedomain) == 0)
		devices_tell(s, domid);
	return domain_unmake(s->hcall, domid);
}

static int destroy(struct ctl *c, int argc, char **argv)
{
	struct system s;
	struct fault f;
	uint16_t domid;
	int lock, status = ctl_domain(c, argc, argv, &s, &domid);

	if (status)
		return status;
	s.watch = progress_begin(argv[optind]);
	lock = system_lock(&s, &f);
	if (lock >= 0 && is_large(&s, domid))
		watch_tell(s.watch, "giving its memory back");
	/* Ctrl-C does not stop it: nothing is to be left half dead. */
	status = lock < 0 ? ctl_refuse(c, &f) : ctl_result(c, &s, end_domain(&s, domid), "destroy");
	if (status == CTL_DONE) {
		devices_remove(&s, domid);
		store_remove(&s, domid);
	}
	system_unlock(lock);
	progress_end();
	system_close(&s);
	return status;
}

int cmd_destroy(struct ctl *c, int argc, char **argv)
{
	const char *gone = NULL;
	int option;

	while ((option = ctl_option(c, argc, argv, "", long_options)) != -1) {
		if (option == '?')
			return CTL_USAGE;
		gone = optarg;
	}
	if (gone && optind < argc)
		return ctl_usage(c, "--leftovers stands alone");
	return gone ? clear(c, gone) : destroy(c, argc, argv);
}
