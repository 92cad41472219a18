/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies between guests, and between a guest and us: packets, mostly, which lie at odd places. Unlike memcpy (string.c) this reads
 * words where they lie and is compiled so that the CPU may: normal memory with the MMU on, with alignment checking
 * off (SCTLR_EL2.A; CR0.AM does not concern us), on both architectures.
 */
#include <hv/copy.h>

#include <hv/compiler.h>
#include <stdint.h>

/* A word at any address. */
struct word {
	uint64_t w;
} PACKED __attribute__((may_alias));

#define WORD sizeof(struct word)

static void upwards(unsigned char *d, const unsigned char *s, size_t n)
{
	for (; n >= 8 * WORD; n -= 8 * WORD, d += 8 * WORD, s += 8 * WORD) {
		const struct word *from = (const struct word *)s;
		struct word *to = (struct word *)d;
		uint64_t a = from[0].w, b = from[1].w, c = from[2].w, e = from[3].w;
		uint64_t f = from[4].w, g = from[5].w, h = from[6].w, i = from[7].w;

		to[0].w = a;
		to[1].w = b;
		to[2].w = c;
		to[3].w = e;
		to[4].w = f;
		to[5].w = g;
		to[6].w = h;
		to[7].w = i;
	}
	for (; n >= WORD; n -= WORD, d += WORD, s += WORD)
		*(struct word *)d = *(const struct word *)s;
	while (n--)
		*d++ = *s++;
}

static void downwards(unsigned char *d, const unsigned char *s, size_t n)
{
	for (; n >= WORD; n -= WORD)
		*(struct word *)(d + n - WORD) = *(const struct word *)(s + n - WORD);
	while (n--)
		d[n] = s[n];
}

void copy_normal(void *dst, const void *src, size_t n)
{
	if ((uintptr_t)dst - (uintptr_t)src >= n) /* what is written is not read afterwards */
		upwards(dst, src, n);
	else
		downwards(dst, src, n);
}
