/* SPDX-License-Identifier: Apache-2.0 */
/* A network card's specification (xl-network-configuration(5)): KEY=VALUE pairs and flags, separated by commas. */
#include "config.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERFACE_MAX    15u /* Linux: IFNAMSIZ less the zero */
#define LEAST_MTU        68u /* RFC 791 */
#define MOST_MTU         65535u
#define MOST_DEVID       1023u
#define DEFAULT_INTERVAL 50000u /* us */
#define MOST_INTERVAL    3600000000u
#define MOST_RATE        8000000000000u /* bits a second */

struct reading {
	struct arena *arena;
	const struct place *at;
	struct config_vif *vif;
	struct fault *f;
};

static bool bad(struct reading *r, const char *key, const char *value, const char *why)
{
	return fault_at(r->f, F_CONFIG_VALUE, r->at, "vif: %s=%s: %s", key, value, why);
}

static bool unsupported(struct reading *r, const char *key, const char *value, const char *why)
{
	return fault_at(r->f, F_CONFIG_UNSUPPORTED, r->at, "vif: %s=%s: %s", key, value, why);
}

static bool take_mac(struct reading *r, const char *key, const char *value)
{
	struct config_vif *v = r->vif;
	unsigned b[6];
	int n = 0;

	for (const char *p = value; *p; p++)
		if (!isxdigit((unsigned char)*p) && *p != ':')
			return bad(r, key, value, "not six groups of two hexadecimal digits");
	if (strlen(value) != 17 ||
	    sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &n) != 6 ||
	    n != 17)
		return bad(r, key, value, "not six groups of two hexadecimal digits");
	if (b[0] & 1)
		return bad(r, key, value, "a group address: the first byte must be even");
	if (!(b[0] | b[1] | b[2] | b[3] | b[4] | b[5]))
		return bad(r, key, value, "no address");
	for (unsigned i = 0; i < 6; i++)
		v->mac[i] = (uint8_t)b[i];
	v->has_mac = true;
	return true;
}

static bool is_interface(const char *value)
{
	size_t n = strlen(value);

	if (n == 0 || n > INTERFACE_MAX || strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
		return false;
	for (; *value; value++)
		if (*value == '/' || *value == ':' || isspace((unsigned char)*value) ||
		    !isprint((unsigned char)*value))
			return false;
	return true;
}

static bool take_interface(struct reading *r, const char *key, const char *value, const char **to)
{
	if (!is_interface(value))
		return bad(r, key, value,
			   "no name of a network interface: 1 to 15 bytes without blanks and /");
	*to = value;
	return true;
}

static bool take_bridge(struct reading *r, const char *key, const char *value)
{
	return take_interface(r, key, value, &r->vif->bridge);
}

static bool take_gateway(struct reading *r, const char *key, const char *value)
{
	return take_interface(r, key, value, &r->vif->gatewaydev);
}

static bool take_name(struct reading *r, const char *key, const char *value)
{
	return take_interface(r, key, value, &r->vif->vifname);
}

static bool take_script(struct reading *r, const char *key, const char *value)
{
	if (!*value)
		return bad(r, key, value, "an empty path");
	r->vif->script = value;
	return true;
}

static bool take_ip(struct reading *r, const char *key, const char *value)
{
	if (!*value || strspn(value, "0123456789abcdefABCDEF.:/ ") != strlen(value))
		return bad(r, key, value, "not an IP address");
	r->vif->ip = value;
	return true;
}

static bool take_backend(struct reading *r, const char *key, const char *value)
{
	if (strcmp(value, "0") == 0 || strcmp(value, "Domain-0") == 0)
		return true;
	return unsupported(r, key, value, "only this domain can be a back end");
}

static bool take_type(struct reading *r, const char *key, const char *value)
{
	if (strcmp(value, "vif") == 0)
		return true;
	return unsupported(r, key, value, "only PV network cards exist yet: type=vif");
}

static bool take_model(struct reading *r, const char *key, const char *value)
{
	return unsupported(r, key, value, "emulated cards belong to HVM guests");
}

static bool take_small(struct reading *r, const char *key, const char *value, uint32_t low,
		       uint32_t high, uint32_t *to)
{
	char *end;
	unsigned long n = strtoul(value, &end, 10);

	if (!isdigit((unsigned char)*value) || *end || n < low || n > high)
		return fault_at(r->f, F_CONFIG_VALUE, r->at, "vif: %s=%s: %u to %u are possible",
				key, value, low, high);
	*to = (uint32_t)n;
	return true;
}

static bool take_mtu(struct reading *r, const char *key, const char *value)
{
	return take_small(r, key, value, LEAST_MTU, MOST_MTU, &r->vif->mtu);
}

static bool take_devid(struct reading *r, const char *key, const char *value)
{
	return take_small(r, key, value, 0, MOST_DEVID, &r->vif->devid);
}

/* A number that a unit follows; *p is moved behind it. 0: none, or too large. */
static uint64_t amount(const char **p)
{
	uint64_t n = isdigit((unsigned char)**p) ? strtoull(*p, (char **)p, 10) : 0;

	return n > 1000000000 ? 0 : n;
}

/* Bits a second of "10Mb"; 0: no such unit. */
static uint64_t bits_of(const char **p)
{
	static const struct {
		const char *suffix;
		uint64_t bits;
	} units[] = { { "GB/s", 8000000000u }, { "MB/s", 8000000 }, { "KB/s", 8000 }, { "B/s", 8 },
		      { "Gb/s", 1000000000 },  { "Mb/s", 1000000 }, { "Kb/s", 1000 }, { "b/s", 1 } };
	uint64_t n = amount(p);

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t length = strlen(units[i].suffix);

		if (strncmp(*p, units[i].suffix, length) == 0) {
			*p += length;
			return n * units[i].bits;
		}
	}
	return 0;
}

/* Microseconds of "20ms"; 0: no such unit. */
static uint64_t interval_of(const char **p)
{
	uint64_t n = amount(p), unit = strcmp(*p, "us") == 0   ? 1
				       : strcmp(*p, "ms") == 0 ? 1000
				       : strcmp(*p, "s") == 0  ? 1000000
							       : 0;

	*p += strlen(*p);
	return n * unit;
}

/* RATE/s[@INTERVAL]: what may be sent in each interval. */
static bool take_rate(struct reading *r, const char *key, const char *value)
{
	const char *p = value;
	uint64_t bits = bits_of(&p), interval = DEFAULT_INTERVAL;

	if (bits && *p == '@') {
		p++;
		interval = interval_of(&p);
	}
	if (!bits || *p || bits > MOST_RATE || !interval || interval > MOST_INTERVAL)
		return bad(
		    r, key,
		    value, "not a number with GB, MB, KB, B, Gb, Mb, Kb or b, then /s, then perhaps @20ms");
	/* Whole milliseconds and the rest apart: their products fit into 64 bits. */
	r->vif->rate_bytes = bits / 8 * (interval / 1000) / 1000 +
			     bits / 8 * (interval % 1000) / 1000000;
	r->vif->rate_interval = (uint32_t)interval;
	return r->vif->rate_bytes || bad(r, key, value, "less than a byte in each interval");
}

static const struct parameter {
	const char *name;
	bool (*take)(struct reading *r, const char *key, const char *value);
} parameters[] = {
	{ "mac", take_mac },         { "bridge", take_bridge }, { "gatewaydev", take_gateway },
	{ "netdev", take_gateway },  { "type", take_type },     { "model", take_model },
	{ "vifname", take_name },    { "script", take_script }, { "ip", take_ip },
	{ "backend", take_backend }, { "rate", take_rate },     { "devid", take_devid },
	{ "mtu", take_mtu },
};
#define NR_PARAMETERS (sizeof(parameters) / sizeof(parameters[0]))

static bool unknown(struct reading *r, const char *name)
{
	const char *names[NR_PARAMETERS + 3];
	char hint[100];

	for (size_t i = 0; i < NR_PARAMETERS; i++)
		names[i] = parameters[i].name;
	names[NR_PARAMETERS] = "trusted";
	names[NR_PARAMETERS + 1] = "untrusted";
	names[NR_PARAMETERS + 2] = NULL;
	return fault_at(r->f, F_CONFIG_UNKNOWN, r->at, "vif: there is no parameter %s%s", name,
			nearest_hint(name, names, hint, sizeof(hint)));
}

static bool take_part(struct reading *r, char *part, uint32_t *seen)
{
	char *equals = strchr(part, '=');

	if (!equals && strcmp(part, "trusted") == 0)
		return true;
	if (!equals && strcmp(part, "untrusted") == 0) {
		r->vif->untrusted = true;
		return true;
	}
	if (equals)
		*equals = 0;
	for (size_t i = 0; i < NR_PARAMETERS; i++) {
		if (strcmp(part, parameters[i].name) != 0)
			continue;
		if (!equals)
			return fault_at(r->f, F_CONFIG_VALUE, r->at,
					"vif: %s without a value: %s=...", part, part);
		if (*seen & 1u << i)
			return fault_at(r->f, F_CONFIG_TWICE, r->at, "vif: %s is given two times",
					part);
		*seen |= 1u << i;
		return parameters[i].take(r, part, equals + 1);
	}
	return unknown(r, part);
}

bool vif_read(struct arena *a, const struct place *at, const char *text, struct config_vif *v,
	      struct fault *f)
{
	struct reading r = { a, at, v, f };
	char *part = arena_text(a, text, strlen(text)), *next;
	uint32_t seen = 0;

	v->at = *at;
	for (; part; part = next) {
		size_t n;

		next = strchr(part, ',');
		if (next)
			*next++ = 0;
		while (*part == ' ' || *part == '\t')
			part++;
		for (n = strlen(part); n && (part[n - 1] == ' ' || part[n - 1] == '\t'); n--)
			part[n - 1] = 0;
		if (*part && !take_part(&r, part, &seen))
			return false;
	}
	if (v->bridge && v->gatewaydev)
		return fault_at(f, F_CONFIG_CONFLICT, at,
				"vif: bridge=%s and gatewaydev=%s: a card is bridged or routed",
				v->bridge, v->gatewaydev);
	return true;
}
