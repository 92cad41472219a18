/* SPDX-License-Identifier: Apache-2.0 */
/* What commands about domains begin and end with. */
#include "build/fill.h"
#include "ctl.h"
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH 64u

int ctl_domain_and(struct ctl *c, int argc, char **argv, int least, int most, struct system *s,
		   uint16_t *domid)
{
	struct fault f;
	int more;

	if (ctl_option(c, argc, argv, "", NULL) == '?')
		return CTL_USAGE;
	more = argc - optind - 1;
	if (more < 0 || (most == 0 && more > 0))
		return ctl_usage(c, "one domain is expected, by name or number");
	if (more < least || more > most)
		return ctl_usage(c, "%s",
				 more < least ? "something is missing" : "too much is given");
	if (!system_open(s, SYSTEM_STORE, &f))
		return ctl_refuse(c, &f);
	if (store_find(s, argv[optind], domid, &f))
		return CTL_DONE;
	system_close(s);
	return ctl_refuse(c, &f);
}

int ctl_domain(struct ctl *c, int argc, char **argv, struct system *s, uint16_t *domid)
{
	return ctl_domain_and(c, argc, argv, 0, 0, s, domid);
}

int ctl_result(struct ctl *c, const struct system *s, int err, const char *what)
{
	struct fault f;

	if (!err)
		return CTL_DONE;
	hypervisor_fault(s->hcall, err, what, &f);
	return ctl_refuse(c, &f);
}

bool ctl_system(struct system *s, struct fault *f)
{
	return system_open(s, SYSTEM_STORE, f) ||
	       (f->id == F_NO_STORE && system_open(s, SYSTEM_CALLS, f));
}

static int all_domains(struct ctl *c, const struct system *s, ctl_domain_fn *fn, void *arg)
{
	struct hcall_domain d[BATCH];
	unsigned next = 0;
	int n, err = 0;

	while ((n = hcall_domains(s->hcall, next, d, BATCH)) > 0 && !err) {
		for (int i = 0; i < n && !err; i++)
			err = fn(c, s, &d[i], arg);
		next = d[n - 1].id + 1u;
	}
	return err ? err : n < 0 ? n : 0;
}

/* One domain, or NULL: all. */
static int visit(struct ctl *c, const struct system *s, const char *who, ctl_domain_fn *fn,
		 void *arg)
{
	struct hcall_domain d;
	struct fault f;
	uint16_t domid;
	int n;

	if (!who)
		return ctl_result(c, s, all_domains(c, s, fn, arg), c->command->name);
	if (!store_find(s, who, &domid, &f))
		return ctl_refuse(c, &f);
	n = hcall_domains(s->hcall, domid, &d, 1);
	if (n == 1 && d.id == domid)
		n = fn(c, s, &d, arg);
	return ctl_result(c, s, n, c->command->name);
}

int ctl_each_domain(struct ctl *c, int argc, char **argv, const char *title, ctl_domain_fn *fn,
		    void *arg)
{
	struct system s;
	struct fault f;
	int status;

	if (ctl_option(c, argc, argv, "", NULL) == '?')
		return CTL_USAGE;
	if (argc - optind > 1)
		return ctl_usage(c, "one domain, or none for all of them");
	if (!(optind < argc ? system_open(&s, SYSTEM_STORE, &f) : ctl_system(&s, &f)))
		return ctl_refuse(c, &f);
	if (!c->json && *title)
		puts(title);
	status = visit(c, &s, optind < argc ? argv[optind] : NULL, fn, arg);
	system_close(&s);
	return status;
}

bool ctl_number(const char *text, uint32_t low, uint32_t high, uint32_t *n)
{
	unsigned long v;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	v = strtoul(text, &end, 10);
	*n = (uint32_t)v;
	return *end == 0 && v >= low && v <= high;
}

static bool has(const uint64_t *map, unsigned bits, unsigned i)
{
	return i < bits && map[i / 64] >> i % 64 & 1;
}

const char *ctl_cpus(const uint64_t *map, unsigned bits, char *buf, size_t room)
{
	size_t n = 0;

	buf[0] = 0;
	for (unsigned i = 0, last; i < bits && n + 20 < room; i = last + 1) {
		last = i;
		if (!has(map, bits, i))
			continue;
		while (has(map, bits, last + 1))
			last++;
		n += (size_t)snprintf(buf + n, room - n, last > i ? "%s%u-%u" : "%s%u",
				      n ? "," : "", i, last);
	}
	return buf;
}
