/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of configuration files by recursive descent: one byte of look-ahead, no state beside the position. */
#include "parse.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH 8u

struct reader {
	struct arena *arena;
	const char *at, *end;
	struct place place; /* of *at */
	struct fault *fault;
};

/* ---- bytes --------------------------------------------------------------------------------------- */

/* -1: the end. */
static int peek(const struct reader *r)
{
	return r->at < r->end ? (unsigned char)*r->at : -1;
}

static void advance(struct reader *r)
{
	if (*r->at++ == '\n') {
		r->place.line++;
		r->place.column = 1;
	} else {
		r->place.column++;
	}
}

/* Blanks and comments; newlines too, if `lines`. */
static void skip(struct reader *r, bool lines)
{
	for (;;) {
		int c = peek(r);

		if (c == '#')
			while (peek(r) != '\n' && peek(r) >= 0)
				advance(r);
		else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || (lines && c == '\n'))
			advance(r);
		else
			return;
	}
}

static bool is_name(int c)
{
	return c == '_' || (c >= 0 && isalnum(c));
}

/* What stands here, for a message. */
static const char *what(struct reader *r)
{
	int c = peek(r);
	const char *end = r->at;

	if (c < 0)
		return "the end of the file";
	if (c == '\n')
		return "the end of the line";
	while (end < r->end && is_name((unsigned char)*end) && end - r->at < 40)
		end++;
	return arena_text(r->arena, r->at, end == r->at ? 1 : (size_t)(end - r->at));
}

/* ---- values -------------------------------------------------------------------------------------- */

/* Up to `most` digits of `base`; -1: none. */
static int digits(struct reader *r, unsigned most, int base)
{
	int n = -1;

	while (most--) {
		int c = peek(r), d = c >= '0' && c <= '9' ? c - '0' : tolower(c) - 'a' + 10;

		if (c < 0 || !isxdigit(c) || d >= base)
			break;
		n = (n < 0 ? 0 : n * base) + d;
		advance(r);
	}
	return n;
}

/* What follows a backslash. -1: refused. */
static int escape(struct reader *r)
{
	static const char from[] = "ntrabfv\\'\"", to[] = "\n\t\r\a\b\f\v\\'\"";
	struct place at = r->place;
	int c = peek(r), n;
	const char *p;

	if (c >= '0' && c <= '7') {
		n = digits(r, 3, 8);
	} else if (c == 'x') {
		advance(r);
		n = digits(r, 2, 16);
	} else {
		p = c > 0 ? strchr(from, c) : NULL;
		n = p ? to[p - from] : -1;
		if (p)
			advance(r);
	}
	if (n > 0 && n < 256)
		return n;
	fault_fill(r->fault, F_CONFIG_SYNTAX,
		   "%s:%u:%u: a backslash with something behind it that makes no character: write "
		   "\\\\ for a backslash",
		   at.file, at.line, at.column);
	return -1;
}

static struct value *new_value(struct reader *r, enum value_kind kind)
{
	struct value *v = arena_take(r->arena, sizeof(*v));

	v->at = r->place;
	v->kind = kind;
	return v;
}

static struct value *read_string(struct reader *r)
{
	struct value *v = new_value(r, VALUE_STRING);
	char *text = arena_take(r->arena, (size_t)(r->end - r->at)), *to = text;
	int quote = peek(r), c;

	advance(r);
	while ((c = peek(r)) != quote) {
		if (c < 0 || c == '\n') {
			fault_fill(r->fault, F_CONFIG_SYNTAX,
				   "%s:%u:%u: a string without its closing %c", v->at.file,
				   v->at.line, v->at.column, quote);
			return NULL;
		}
		if (c == 0) {
			fault_fill(r->fault, F_CONFIG_SYNTAX,
				   "%s:%u:%u: a zero byte: this is no text file", r->place.file,
				   r->place.line, r->place.column);
			return NULL;
		}
		advance(r);
		if (c == '\\') {
			c = escape(r);
			if (c < 0)
				return NULL;
		}
		*to++ = (char)c;
	}
	advance(r);
	v->text = text;
	return v;
}

static struct value *read_word(struct reader *r)
{
	struct value *v = new_value(r, VALUE_WORD);
	const char *from = r->at;

	if (peek(r) == '-')
		advance(r);
	while (is_name(peek(r)))
		advance(r);
	v->text = arena_text(r->arena, from, (size_t)(r->at - from));
	return v;
}

static struct value *read_value(struct reader *r, unsigned depth);

/* The items after "["; NULL: refused. */
static struct value *read_list(struct reader *r, unsigned depth)
{
	struct value *v = new_value(r, VALUE_LIST), **link = &v->first;

	advance(r);
	for (;;) {
		skip(r, true);
		if (peek(r) == ']')
			break;
		*link = read_value(r, depth + 1);
		if (!*link)
			return NULL;
		link = &(*link)->next;
		skip(r, true);
		if (peek(r) == ',') {
			advance(r);
		} else if (peek(r) != ']') {
			fault_fill(r->fault, F_CONFIG_SYNTAX,
				   "%s:%u:%u: %s where a comma or the ] of the list that begins in "
				   "line %u is expected",
				   r->place.file, r->place.line, r->place.column, what(r),
				   v->at.line);
			return NULL;
		}
	}
	advance(r);
	return v;
}

static struct value *read_value(struct reader *r, unsigned depth)
{
	int c = peek(r);

	if (c == '\'' || c == '"')
		return read_string(r);
	if (c == '[' && depth < MAX_DEPTH)
		return read_list(r, depth);
	if (c == '-' || (c >= 0 && isdigit(c)))
		return read_word(r);
	if (c == '[')
		fault_fill(r->fault, F_CONFIG_SYNTAX,
			   "%s:%u:%u: lists in lists in lists: at most %u deep", r->place.file,
			   r->place.line, r->place.column, MAX_DEPTH);
	else
		fault_fill(r->fault, F_CONFIG_SYNTAX,
			   "%s:%u:%u: %s where a value is expected: a number, a quoted string or a "
			   "list in [ ]",
			   r->place.file, r->place.line, r->place.column, what(r));
	return NULL;
}

/* ---- pairs ----------------------------------------------------------------------------------------- */

static struct pair *find(struct pair *list, const char *key)
{
	while (list && strcmp(list->key, key) != 0)
		list = list->next;
	return list;
}

/* "+=": behind what is there; both are strings, or both lists. */
static bool append(struct reader *r, struct pair *p, struct value *v)
{
	if (p->value->kind == VALUE_LIST && v->kind == VALUE_LIST) {
		struct value **link = &p->value->first;

		while (*link)
			link = &(*link)->next;
		*link = v->first;
		return true;
	}
	if (p->value->kind == VALUE_STRING && v->kind == VALUE_STRING) {
		size_t n = strlen(p->value->text), more = strlen(v->text);
		char *text = arena_take(r->arena, n + more + 1);

		memcpy(text, p->value->text, n);
		memcpy(text + n, v->text, more);
		p->value->text = text;
		return true;
	}
	return fault_at(r->fault, F_CONFIG_TYPE, &v->at,
			"+= joins two lists or two strings; %s is neither with what is added",
			p->key);
}

static bool add_pair(struct reader *r, struct pair **list, const struct place *at, const char *key,
		     struct value *v, bool adding, bool replace)
{
	struct pair *p = find(*list, key);

	if (p && adding)
		return append(r, p, v);
	if (p && !replace)
		return fault_at(r->fault, F_CONFIG_TWICE, at,
				"%s is set for the second time: first in line %u", key, p->at.line);
	if (!p) {
		while (*list)
			list = &(*list)->next;
		*list = p = arena_take(r->arena, sizeof(*p));
	}
	p->at = *at;
	p->key = key;
	p->value = v;
	return true;
}

static bool read_pair(struct reader *r, bool replace, struct pair **list)
{
	struct place at = r->place;
	const char *from = r->at, *key;
	struct value *v;
	bool adding;

	if (!is_name(peek(r)) || isdigit(peek(r)))
		return fault_at(r->fault, F_CONFIG_SYNTAX, &r->place, "%s where a key is expected",
				what(r));
	while (is_name(peek(r)))
		advance(r);
	key = arena_text(r->arena, from, (size_t)(r->at - from));
	skip(r, false);
	adding = peek(r) == '+';
	if (adding)
		advance(r);
	if (peek(r) != '=')
		return fault_at(r->fault, F_CONFIG_SYNTAX, &r->place,
				"%s where the = after %s is expected", what(r), key);
	advance(r);
	skip(r, false);
	v = read_value(r, 0);
	return v && add_pair(r, list, &at, key, v, adding, replace);
}

bool parse_config(struct arena *a, const char *file, const char *text, size_t n, bool replace,
		  struct pair **list, struct fault *f)
{
	struct reader r = { a, text, text + n, { file, 1, 1 }, f };

	for (;;) {
		skip(&r, true);
		if (peek(&r) == ';') {
			advance(&r);
			continue;
		}
		if (peek(&r) < 0)
			return true;
		if (!read_pair(&r, replace, list))
			return false;
		skip(&r, false);
		if (peek(&r) != '\n' && peek(&r) != ';' && peek(&r) >= 0)
			return fault_at(f, F_CONFIG_SYNTAX, &r.place,
					"%s where the end of the line or a semicolon is expected",
					what(&r));
	}
}

const char *place_text(const struct place *at, char *buf)
{
	buf[0] = 0;
	if (at->line)
		snprintf(buf, PLACE_TEXT, "%s:%u:%u: ", at->file, at->line, at->column);
	return buf;
}
