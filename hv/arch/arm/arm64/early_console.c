/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the console's UART is, found before anything else works: with the MMU off, at whatever
 * exception level and on an unchecked device tree, so that even "wrong exception level" can be
 * said. Reads the tree by itself, once from start to end for each property, within totalsize; gives up
 * silently at anything odd. Later code asks hv/fdt.h.
 */
#include <asm/early.h>
#include <asm/sysreg.h>
#include <hv/fdt.h>

/* Token values of the structure block; header fields by index (devicetree.org, chapter 5). */
enum { BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4 };
enum { H_MAGIC, H_TOTALSIZE, H_STRUCT, H_STRINGS };

/* A node by its path, which need not end with it: n bytes, 0 for the root. */
struct path {
	const char *s;
	uint32_t n;
};

struct text {
	const char *s;
	uint32_t n;
};

static inline uint32_t big(const char *p)
{
	return __builtin_bswap32(*(const uint32_t *)p);
}

static BOOT_TEXT uint32_t length(const char *s, const char *end)
{
	uint32_t n = 0;

	while (s + n < end && s[n])
		n++;
	return n;
}

static BOOT_TEXT bool same(const char *a, const char *b, uint32_t n)
{
	while (n && *a == *b) {
		a++;
		b++;
		n--;
	}
	return n == 0;
}

static BOOT_TEXT bool is(const char *a, const char *name)
{
	while (*a && *a == *name) {
		a++;
		name++;
	}
	return *a == *name;
}

/* Does the node called `name` match the path's part at `at`? Then *next is where the part after begins. */
static BOOT_TEXT bool part_matches(struct path p, uint32_t at, const char *name, uint32_t n,
				   uint32_t *next)
{
	uint32_t end = at;

	while (end < p.n && p.s[end] != '/')
		end++;
	if (end == at || n < end - at || !same(p.s + at, name, end - at))
		return false;
	/* A path may leave out the unit address. */
	if (n > end - at && name[end - at] != '@')
		return false;
	*next = end < p.n ? end + 1 : end;
	return true;
}

/* The property `name` of the node at `p`; .s is NULL when there is none. */
static BOOT_TEXT struct text property(const char *dt, struct path p, const char *name)
{
	const char *end = dt + big(dt + 4 * H_TOTALSIZE);
	const char *at = dt + big(dt + 4 * H_STRUCT);
	const char *strings = dt + big(dt + 4 * H_STRINGS);
	uint32_t depth = 0, matched = 0, next = p.n ? 1 : 0;

	/* The node at depth d (root: 1) is on the path when matched == d; `next` is the part to find. */
	while (at + 12 <= end) {
		uint32_t token = big(at), n;

		at += 4;
		switch (token) {
		case BEGIN_NODE:
			n = length(at, end);
			if (depth == 0)
				matched = 1;
			else if (depth == matched && next < p.n &&
				 part_matches(p, next, at, n, &next))
				matched++;
			depth++;
			at += ROUND_UP(n + 1, 4u);
			break;
		case END_NODE:
			/* Leaving a node on the path: what was asked for is not there. */
			if (depth == matched)
				return (struct text){ NULL, 0 };
			depth--;
			break;
		case PROP:
			n = big(at);
			if (n > (uint32_t)(end - at) || big(at + 4) >= (uint32_t)(end - strings))
				return (struct text){ NULL, 0 };
			if (depth == matched && next >= p.n && is(strings + big(at + 4), name))
				return (struct text){ at + 8, n };
			at += 8 + ROUND_UP(n, 4u);
			break;
		case NOP: break;
		default: return (struct text){ NULL, 0 };
		}
	}
	return (struct text){ NULL, 0 };
}

static BOOT_TEXT bool lists(struct text list, const char *what)
{
	while (list.n) {
		uint32_t n = length(list.s, list.s + list.n);

		if (n == list.n)
			return false;
		if (is(list.s, what))
			return true;
		list.s += n + 1;
		list.n -= n + 1;
	}
	return false;
}

static BOOT_TEXT struct path parent(struct path p)
{
	while (p.n && p.s[p.n - 1] != '/')
		p.n--;
	if (p.n)
		p.n--;
	return p;
}

static BOOT_TEXT bool sound(const char *dt)
{
	uint32_t size;

	if (!dt || ((uintptr_t)dt & 7) || big(dt) != 0xd00dfeed)
		return false;
	size = big(dt + 4 * H_TOTALSIZE);
	return size > 40 && size <= DT_MAX_SIZE && big(dt + 4 * H_STRUCT) < size &&
	       !(big(dt + 4 * H_STRUCT) & 3) && big(dt + 4 * H_STRINGS) < size;
}

BOOT_TEXT uint64_t early_uart(const void *tree)
{
	const char *dt = tree;
	struct text t;
	struct path uart, p;
	uint32_t cells = 2;

	if (!sound(dt))
		return 0;
	t = property(dt, (struct path){ "/chosen", 7 }, "stdout-path");
	if (!t.s)
		return 0;
	uart = (struct path){ t.s, 0 };
	while (uart.n < t.n && t.s[uart.n] && t.s[uart.n] != ':')
		uart.n++;
	if (uart.n && uart.s[0] != '/') {
		char alias[32];

		if (uart.n >= sizeof(alias))
			return 0;
		for (uint32_t i = 0; i < uart.n; i++)
			alias[i] = uart.s[i];
		alias[uart.n] = '\0';
		t = property(dt, (struct path){ "/aliases", 8 }, alias);
		if (!t.s)
			return 0;
		uart = (struct path){ t.s, length(t.s, t.s + t.n) };
	}
	if (uart.n < 2)
		return 0;
	t = property(dt, uart, "compatible");
	if (!lists(t, "arm,pl011") && !lists(t, "arm,sbsa-uart"))
		return 0;
	/* Buses that translate addresses are left to later code. */
	for (p = parent(uart); p.n; p = parent(p)) {
		t = property(dt, p, "ranges");
		if (!t.s || t.n)
			return 0;
	}
	t = property(dt, parent(uart), "#address-cells");
	if (t.s && t.n == 4)
		cells = big(t.s);
	t = property(dt, uart, "reg");
	if (!t.s || cells < 1 || cells > 2 || t.n < cells * 4)
		return 0;
	return cells == 1 ? big(t.s) : (uint64_t)big(t.s) << 32 | big(t.s + 4);
}

/* Registers of a PL011 that are enough to send: DDI 0183. */
static BOOT_TEXT void say(uint64_t uart, const char *s)
{
	for (; *s; s++) {
		while (mmio_read32((void *)(uart + 0x18)) & 0x20)
			;
		mmio_write32((void *)uart, (uint8_t)*s);
	}
}

BOOT_TEXT void early_wrong_level(const void *dt, unsigned level)
{
	uint64_t uart = early_uart(dt);
	char digit[2] = { (char)('0' + level), '\0' };

	if (!uart)
		return;
	say(uart, "\r\nKrypton: entered at exception level EL");
	say(uart, digit);
	say(uart,
	    "; it must be entered at EL2. Start it from firmware that leaves EL2 to it (QEMU: "
	    "-machine virt,virtualization=on).\r\n");
}
