/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network cards' addresses. One that was not asked for follows from the domain's UUID and the card's number, so that a guest which is made again
 * keeps its own; where another card of this system has it, the next is tried.
 */
#include "device_parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TEXT_SIZE 18
#define TRIES     1000u

static const char *mac_text(const uint8_t *mac, char *text)
{
	snprintf(text, TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return text;
}

/* Has a card of this domain the address? Asked of the back ends: the front ends' folders are the guests'. */
static bool domain_has(const struct system *s, const char *domid, const char *mac)
{
	char path[80], other[TEXT_SIZE + 8];
	struct client_names cards;
	const char *card = NULL;
	bool has = false;

	snprintf(path, sizeof(path), "/local/domain/0/backend/vif/%.10s", domid);
	store_children(s, &cards, "%s", path);
	while ((card = client_next_name(&cards, card)) != NULL)
		has |= store_get(s, other, sizeof(other), "%s/%.10s/mac", path, card) &&
		       strcasecmp(other, mac) == 0;
	client_names_free(&cards);
	return has;
}

/* The domain that has the address; -1: none. */
static int owner(const struct system *s, const uint8_t *mac)
{
	char text[TEXT_SIZE];
	struct client_names domains;
	const char *domain = NULL;
	int found = -1;

	mac_text(mac, text);
	store_children(s, &domains, "/local/domain/0/backend/vif");
	while (found < 0 && (domain = client_next_name(&domains, domain)) != NULL)
		if (domain_has(s, domain, text))
			found = atoi(domain);
	client_names_free(&domains);
	return found;
}

/* FNV-1a: a few bits that look like chance. */
static uint64_t digest(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3ull;
	return h;
}

/* Under Xen's prefix, in the half that is not for assigned addresses. */
static void generate(struct device *d, unsigned attempt)
{
	char vm[STORE_PATH_MAX], rest[40];
	uint64_t h;

	store_get(d->s, vm, sizeof(vm), "/local/domain/%u/vm", d->domid);
	snprintf(rest, sizeof(rest), " %u %u", d->id, attempt);
	h = digest(digest(0xcbf29ce484222325ull, vm), rest);
	h ^= h >> 32;
	d->mac[0] = 0x00;
	d->mac[1] = 0x16;
	d->mac[2] = 0x3e;
	d->mac[3] = (uint8_t)(h >> 16 & 0x7f);
	d->mac[4] = (uint8_t)(h >> 8);
	d->mac[5] = (uint8_t)h;
}

bool mac_free(const struct system *s, const struct config_vif *v, struct fault *f)
{
	int other = owner(s, v->mac);
	char text[TEXT_SIZE];

	return other < 0 ||
	       fault_at(f, F_MAC_TAKEN, &v->at, "vif %u: domain %d has the address %s already",
			v->devid, other, mac_text(v->mac, text));
}

bool mac_choose(struct device *d, struct fault *f)
{
	if (d->vif->has_mac) {
		memcpy(d->mac, d->vif->mac, sizeof(d->mac));
		return mac_free(d->s, d->vif, f);
	}
	for (unsigned i = 0; i < TRIES; i++) {
		generate(d, i);
		if (owner(d->s, d->mac) < 0)
			return true;
	}
	return fault_at(f, F_MAC_TAKEN, &d->vif->at, "vif %u: no address is free", d->id);
}
