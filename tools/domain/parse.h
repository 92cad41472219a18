/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The syntax of configuration files (xl.cfg(5)), without the keys' meaning:
 *
 *	file    = { [ pair ] ( newline | ";" ) }		"#" starts a comment
 *	pair    = KEY ( "=" | "+=" ) value			"+=" appends to a string or a list
 *	value   = number | "'" text "'" | '"' text '"' | list
 *	list    = "[" [ value { "," value } [ "," ] ] "]"	newlines may stand anywhere in it
 *
 * Strings know Python's escapes: \\ \' \" \n \t \r \a \b \f \v \xHH and up to three octal digits.
 */
#ifndef TOOLS_DOMAIN_PARSE_H
#define TOOLS_DOMAIN_PARSE_H

#include "arena.h"
#include "lib/fault.h"

struct place {
	const char *file;
	unsigned line, column; /* from 1, in bytes */
};

struct value {
	struct place at;
	enum value_kind {
		VALUE_WORD,
		VALUE_STRING,
		VALUE_LIST
	} kind;              /* a word is a number without quotes */
	const char *text;    /* word, string */
	struct value *first; /* list: its items, linked by next */
	struct value *next;
};

struct pair {
	struct pair *next;
	struct place at; /* of the key */
	const char *key;
	struct value *value;
};

/*
 * Read `n` bytes of `text` from the file `file` (a name for messages; it must outlive the result) and put the pairs behind *list. A key that
 * is there already is refused, or replaced if `replace`. False: *f says where and why.
 */
MUST_USE bool parse_config(struct arena *a, const char *file, const char *text, size_t n,
			   bool replace, struct pair **list, struct fault *f);

/* fault_set() with "file:line:column: " in front, or nothing for what is in no file (line 0). */
#define fault_at(f, id, at, format, ...) \
	fault_set((f), (id), "%s" format, place_text((at), (char[PLACE_TEXT]){ 0 }), ##__VA_ARGS__)
#define PLACE_TEXT 300
const char *place_text(const struct place *at, char *buf);

#endif
