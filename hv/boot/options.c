/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line. boot/options.def is the table; each row has a kind, and each kind one parser
 * below. Nothing here fails: what cannot be understood is named in the log and ignored, for a machine
 * that boots with a default is better than one that does not.
 */
#include <hv/option.h>
#include <hv/log.h>
#include <hv/string.h>

struct options options;

enum option_kind {
	BOOL,
	U32,
	STRING,
	VCPUS,
	DOM0_MEM,
	LOGLVL,
	CONSWITCH,
	TIMESTAMPS,
	VWFI,
};

struct option_row {
	const char *name;
	const char *standard;  /* the default */
	uint16_t offset, size; /* of the field in struct options */
	uint8_t kind;          /* enum option_kind */
};

static const struct option_row option_table[] = {
#define OPTION(name, kind, field, standard, values, what) \
	{ name, standard, offsetof(struct options, field), sizeof(options.field), kind },
#include "options.def"
#undef OPTION
};

static BOOT_TEXT bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

BOOT_TEXT bool option_bool(const char *s, bool *value)
{
	static const char *const yes[] = { "", "yes", "on", "true", "enable", "1" };
	static const char *const no[] = { "no", "off", "false", "disable", "0" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (is(s, yes[i])) {
			*value = true;
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		if (is(s, no[i])) {
			*value = false;
			return true;
		}
	}
	return false;
}

static BOOT_TEXT bool parse_u32(const char *s, uint32_t *value)
{
	uint64_t n;

	if (!parse_u64(&s, &n) || *s || n > UINT32_MAX)
		return false;
	*value = (uint32_t)n;
	return true;
}

/* "<n>" or "<min>-<max>": the most. */
static BOOT_TEXT bool parse_vcpus(const char *s, uint32_t *value)
{
	const char *dash = strchr(s, '-');

	return parse_u32(dash && dash[1] ? dash + 1 : s, value);
}

/* Sizes without a suffix are in KiB, as in Xen. */
static BOOT_TEXT bool parse_dom0_mem(const char *s, struct options *o)
{
	o->dom0_mem = o->dom0_mem_min = o->dom0_mem_max = 0;
	do {
		uint64_t *to = &o->dom0_mem;

		if (strncmp(s, "min:", 4) == 0)
			to = &o->dom0_mem_min;
		else if (strncmp(s, "max:", 4) == 0)
			to = &o->dom0_mem_max;
		if (to != &o->dom0_mem)
			s += 4;
		if (!parse_size(&s, 1024, to))
			return false;
	} while (*s++ == ',');
	return s[-1] == '\0';
}

static BOOT_TEXT bool parse_level(const char *s, size_t n, int8_t *level)
{
	static const struct {
		const char *name;
		int8_t level;
	} levels[] = {
		{ "none", LOGLVL_NONE }, { "error", LOG_ERROR }, { "warning", LOG_WARNING },
		{ "info", LOG_INFO },    { "debug", LOG_DEBUG }, { "all", LOG_DEBUG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strlen(levels[i].name) == n && strncmp(s, levels[i].name, n) == 0) {
			*level = levels[i].level;
			return true;
		}
	}
	return false;
}

static BOOT_TEXT bool parse_loglvl(const char *s, struct log_threshold *t)
{
	const char *slash = strchr(s, '/');
	struct log_threshold new;

	if (!parse_level(s, slash ? (size_t)(slash - s) : strlen(s), &new.always))
		return false;
	new.limited = new.always;
	if (slash && !parse_level(slash + 1, strlen(slash + 1), &new.limited))
		return false;
	*t = new;
	return true;
}

static BOOT_TEXT bool parse_conswitch(const char *s, struct options *o)
{
	char c = s[0] | 0x20;

	if (c < 'a' || c > 'z' || (s[1] && !is(s + 1, "x")))
		return false;
	o->conswitch = (uint32_t)(c - 'a' + 1);
	o->conswitch_once = s[1] == 'x';
	return true;
}

static BOOT_TEXT bool parse_timestamps(const char *s, bool *value)
{
	static const char *const on[] = { "boot", "date", "datems", "raw" };

	for (size_t i = 0; i < ARRAY_SIZE(on); i++) {
		if (is(s, on[i])) {
			*value = true;
			return true;
		}
	}
	if (is(s, "none")) {
		*value = false;
		return true;
	}
	return option_bool(s, value);
}

static BOOT_TEXT bool parse_vwfi(const char *s, bool *native)
{
	*native = is(s, "native");
	return *native || is(s, "trap");
}

/* Understand `value` for `row`. False leaves a field as it was or at a sound value. */
static BOOT_TEXT bool option_set(const struct option_row *row, const char *value)
{
	void *field = (char *)&options + row->offset;

	switch ((enum option_kind)row->kind) {
	case BOOL: return option_bool(value, field);
	case U32: return parse_u32(value, field);
	case STRING: return strcopy(field, value, row->size);
	case VCPUS: return parse_vcpus(value, field);
	case DOM0_MEM: return parse_dom0_mem(value, &options);
	case LOGLVL: return parse_loglvl(value, field);
	case CONSWITCH: return parse_conswitch(value, &options);
	case TIMESTAMPS: return parse_timestamps(value, field);
	case VWFI: return parse_vwfi(value, field);
	}
	return false;
}

static BOOT_TEXT const struct option_row *option_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
		if (is(option_table[i].name, name))
			return &option_table[i];
	}
	return NULL;
}

/* One word: "name", "name=value" or "no-name". */
static BOOT_TEXT void option_word(char *word, bool first)
{
	char *equals = strchr(word, '=');
	const char *value = equals ? equals + 1 : "";
	const struct option_row *row;

	if (equals)
		*equals = '\0';
	row = option_find(word);
	if (!row && !equals && strncmp(word, "no-", 3) == 0) {
		row = option_find(word + 3);
		if (row && row->kind != BOOL)
			row = NULL;
		value = "no";
	}
	if (!row && first && !equals)
		return; /* the image's name, as boot loaders pass it */
	if (!row)
		log_warning("command line: no option \"%s\"", word);
	else if (!equals && row->kind != BOOL && row->kind != TIMESTAMPS)
		log_warning("command line: %s: needs a value", row->name);
	else if (!option_set(row, value))
		log_warning("command line: %s=%s: not understood, ignored", row->name, value);
}

/* The next word into buf, quotes removed. False: no more. *whole: it fitted. */
static BOOT_TEXT bool next_word(const char **s, char *buf, size_t size, bool *whole)
{
	size_t n = 0;
	char quote = '\0';

	*whole = true;
	while (**s == ' ' || **s == '\t' || **s == '\n')
		(*s)++;
	if (!**s)
		return false;
	for (; **s; (*s)++) {
		char c = **s;

		if (quote ? c == quote : c == '"' || c == '\'') {
			quote = quote ? '\0' : c;
			continue;
		}
		if (!quote && (c == ' ' || c == '\t' || c == '\n'))
			break;
		if (n + 1 < size)
			buf[n++] = c;
		else
			*whole = false;
	}
	buf[n] = '\0';
	return true;
}

BOOT_TEXT void options_parse(const char *cmdline)
{
	char word[128];
	bool first = true, whole;

	for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
		(void)option_set(&option_table[i], option_table[i].standard);
	for (; next_word(&cmdline, word, sizeof(word), &whole); first = false) {
		if (whole)
			option_word(word, first);
		else
			log_warning("command line: \"%.40s...\" is longer than %zu bytes, ignored",
				    word, sizeof(word) - 1);
	}
}
