/* SPDX-License-Identifier: Apache-2.0 */
/* CPULIST of xl.cfg(5): numbers and ranges, "all", and what is taken out again by ^. */
#include "config.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* One number at *p, which is moved behind it. False: none, or too large. */
static bool number(const char **p, uint32_t *n)
{
	char *end;
	unsigned long v;

	if (!isdigit((unsigned char)**p))
		return false;
	v = strtoul(*p, &end, 10);
	*p = end;
	*n = (uint32_t)v;
	return v < CONFIG_MAX_CPUS;
}

static void mark(struct config_cpus *cpus, uint32_t first, uint32_t last, bool out)
{
	/* With `all`, the bits are what is left out. */
	for (uint32_t i = first; i <= last; i++) {
		if (out == cpus->all)
			cpus->bit[i / 64] |= (uint64_t)1 << i % 64;
		else
			cpus->bit[i / 64] &= ~((uint64_t)1 << i % 64);
	}
}

static bool one(const struct place *at, const char *text, const char **p, struct config_cpus *cpus,
		struct fault *f)
{
	bool out = **p == '^';
	uint32_t first, last;

	if (out)
		++*p;
	if (strncmp(*p, "all", 3) == 0 && !out) {
		*p += 3;
		*cpus = (struct config_cpus){ .all = true, .given = true };
		return true;
	}
	if (strncmp(*p, "node", 4) == 0)
		return fault_at(
		    f, F_CONFIG_UNSUPPORTED, at,
		    "CPU list \"%s\": NUMA nodes are not supported: give the CPUs' numbers", text);
	if (!number(p, &first))
		return fault_at(
		    f, F_CONFIG_VALUE,
		    at, "CPU list \"%s\": \"%s\" is no CPU: a number below %u, a range like 0-3, or all",
		    text, *p, CONFIG_MAX_CPUS);
	last = first;
	if (**p == '-') {
		++*p;
		if (!number(p, &last) || last < first)
			return fault_at(
			    f, F_CONFIG_VALUE,
			    at, "CPU list \"%s\": a range that begins with %u ends with no CPU behind it",
			    text, first);
	}
	mark(cpus, first, last, out);
	return true;
}

static bool empty(const struct config_cpus *cpus)
{
	for (size_t i = 0; i < CONFIG_MAX_CPUS / 64; i++)
		if (cpus->bit[i] != (cpus->all ? ~(uint64_t)0 : 0))
			return false;
	return true;
}

bool cpulist_read(const struct place *at, const char *text, struct config_cpus *cpus,
		  struct fault *f)
{
	const char *p = text;

	*cpus = (struct config_cpus){ .given = true };
	for (;;) {
		while (*p == ' ' || *p == '\t')
			p++;
		if (!one(at, text, &p, cpus, f))
			return false;
		while (*p == ' ' || *p == '\t')
			p++;
		if (*p == 0)
			break;
		if (*p++ != ',')
			return fault_at(f, F_CONFIG_VALUE, at,
					"CPU list \"%s\": \"%s\" where a comma is expected", text,
					p - 1);
	}
	if (empty(cpus))
		return fault_at(f, F_CONFIG_VALUE, at, "CPU list \"%s\" has no CPU in it", text);
	return true;
}
