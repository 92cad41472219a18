/* SPDX-License-Identifier: Apache-2.0 */
/* One key of a configuration file: what kind of value it takes and what becomes of it. */
#ifndef TOOLS_DOMAIN_KEYS_H
#define TOOLS_DOMAIN_KEYS_H

#include "config.h"

enum key_kind {
	KEY_TEXT,      /* a string, to `offset` */
	KEY_PATH,      /* the same, not empty */
	KEY_NUMBER,    /* a uint32_t from low to high, to `offset` */
	KEY_NUMBER64,  /* a uint64_t */
	KEY_EITHER,    /* 0 or 1: both mean what happens anyway */
	KEY_ACTION,    /* what to do at an event */
	KEY_WORD,      /* one of the words (`words`, by |), all of which mean what happens anyway */
	KEY_MUST_BE_0, /* off is all there is; on is refused, with `text` */
	KEY_MUST_BE_1, /* the other way round */
	KEY_EMPTY_LIST, /* an empty list or string is all there is */
	KEY_OTHER,      /* taken by `take` */
	KEY_REFUSED,    /* whatever its value */
};

struct key {
	const char *name;
	enum key_kind kind;
	const char *text; /* why it is refused; KEY_WORD: the words, then why others are refused */
	size_t offset;
	uint64_t low, high;
	bool (*take)(struct config *c, const struct pair *p, struct fault *f);
};

/* config.c: the value's text; NULL: it is a list, *f filled. */
const char *config_text(const struct pair *p, const struct value *v, struct fault *f);
/* A number; false: it is none or not in the range. */
MUST_USE bool config_number(const struct pair *p, const struct value *v, uint64_t low,
			    uint64_t high, uint64_t *n, struct fault *f);
bool config_take_type(struct config *c, const struct pair *p, struct fault *f);
bool config_take_builder(struct config *c, const struct pair *p, struct fault *f);
bool config_take_name(struct config *c, const struct pair *p, struct fault *f);
bool config_take_uuid(struct config *c, const struct pair *p, struct fault *f);
bool config_take_cpus(struct config *c, const struct pair *p, struct fault *f);
bool config_take_disk(struct config *c, const struct pair *p, struct fault *f);
bool config_take_vif(struct config *c, const struct pair *p, struct fault *f);
bool config_take_device_tree(struct config *c, const struct pair *p, struct fault *f);
bool config_take_gic(struct config *c, const struct pair *p, struct fault *f);

extern const struct key keys[]; /* ends with a row without a name */

#endif
