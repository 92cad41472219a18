/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One frame of Zstandard (RFC 8878; the numbers of sections below are its). The input is hostile: every length is compared with what is left
 * of a buffer before a byte moves, tables are complete before they are used, and bit streams must end exactly.
 *
 * A frame is blocks; a compressed block is literals, most often as Huffman codes in four streams, then sequences of (literals to copy, match
 * length, match offset) as codes of three finite state machines in one stream. Streams of codes are read from their end backwards.
 * Output goes to one buffer, which is its own window.
 */
#include <hv/payload.h>

#include <hv/string.h>

#define MAX_BLOCK      (128u << 10)
#define HUF_MAX_BITS   11u
#define MAX_LOG        9u

#define FRAME_MAGIC    0xfd2fb528u
#define CHECKSUM_BYTES 4u

/* One state of a machine: what it stands for, and where it goes: base plus so many bits. */
struct state {
	uint16_t base;
	uint8_t symbol, bits;
};

struct machine {
	struct state state[1u << MAX_LOG];
	unsigned log; /* states are 1 << log */
	bool ready;   /* a block may use it again */
};

struct memory {
	struct machine literal_length, offset, match_length, weights;
	struct {
		uint8_t symbol, bits;
	} huffman[1u << HUF_MAX_BITS];
	unsigned huffman_bits; /* 0: no table yet */
	uint32_t repeat[3];    /* the last offsets, 3.1.1.5 */
	size_t nr_literals;
	uint8_t literals[MAX_BLOCK];
};

struct input {
	const uint8_t *at, *end;
};

struct output {
	uint8_t *start;
	size_t done, room;
};

static size_t left(const struct input *in)
{
	return (size_t)(in->end - in->at);
}

/* Little-endian, of 0 to 8 bytes, that the caller knows are there. */
static uint64_t le(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

static unsigned high_bit(uint32_t v)
{
	return 31u - (unsigned)__builtin_clz(v);
}

/* ---- bits from the end backwards ------------------------------------------------------------------ */

/* The unread bits are the `bits` low ones of the bytes from `start` on, highest first. */
struct stream {
	const uint8_t *start;
	size_t size;
	int64_t bits; /* negative: more was read than there is */
};

/* The highest set bit of the last byte ends the stream and is none of it. */
static bool stream_open(struct stream *s, const uint8_t *p, size_t n)
{
	if (n == 0 || p[n - 1] == 0)
		return false;
	*s = (struct stream){ p, n, (int64_t)(n - 1) * 8 + high_bit(p[n - 1]) };
	return true;
}

/* The next n (at most 56) bits; those before the stream's start are zeros. */
static uint64_t stream_peek(const struct stream *s, unsigned n)
{
	int64_t from = s->bits - n;
	uint64_t at, v;

	if (n == 0 || s->bits <= 0)
		return 0;
	if (from < 0)
		return (le(s->start, (unsigned)MIN(s->size, (size_t)8)) &
			(((uint64_t)1 << s->bits) - 1))
		       << -from;
	at = (uint64_t)from / 8;
	if (s->size - at >= sizeof(v))
		memcpy(&v, s->start + at, sizeof(v));
	else
		v = le(s->start + at, (unsigned)(s->size - at));
	return v >> (from & 7) & (((uint64_t)1 << n) - 1);
}

static uint64_t stream_read(struct stream *s, unsigned n)
{
	uint64_t v = stream_peek(s, n);

	s->bits -= n;
	return v;
}

/* ---- finite state machines, 4.1 ------------------------------------------------------------------- */

/*
 * Spread the symbols over the states: those of probability -1 ("less than 1") take one each from the end; the rest, in strides.
 * The probabilities add up to the number of states.
 */
static bool machine_build(struct machine *m, const int16_t *probability, unsigned nr, unsigned log)
{
	uint32_t size = 1u << log, step = (size >> 1) + (size >> 3) + 3, at = 0, high = size;
	uint16_t next[256];

	for (unsigned s = 0; s < nr; s++) {
		next[s] = (uint16_t)MAX(probability[s], (int16_t)1);
		if (probability[s] == -1)
			m->state[--high].symbol = (uint8_t)s;
	}
	for (unsigned s = 0; s < nr; s++)
		for (int i = 0; i < probability[s]; i++) {
			m->state[at].symbol = (uint8_t)s;
			do
				at = (at + step) & (size - 1);
			while (at >= high);
		}
	if (at != 0)
		return false;
	for (uint32_t i = 0; i < size; i++) {
		struct state *t = &m->state[i];
		uint32_t n = next[t->symbol]++;

		t->bits = (uint8_t)(log - high_bit(n));
		t->base = (uint16_t)((n << t->bits) - size);
	}
	m->log = log;
	return m->ready = true;
}

/* Bits forward, as only the tables' descriptions have them; zeros behind the end. */
static uint32_t forward_bits(const struct input *in, size_t bit, unsigned n)
{
	size_t at = bit / 8;
	uint64_t v = at < left(in) ? le(in->at + at, (unsigned)MIN(left(in) - at, (size_t)8)) : 0;

	return (uint32_t)(v >> (bit & 7) & ((1u << n) - 1));
}

/*
 * A probability for each symbol, in as few bits as what remains needs: with 1 less there would be one bit
 * fewer, so low values take that (4.1.1). A 0 is followed by how many more zeros there are.
 */
static bool machine_read(struct machine *m, struct input *in, unsigned most, unsigned max_log)
{
	int16_t probability[256];
	unsigned nr = 0, log = forward_bits(in, 0, 4) + 5;
	uint32_t remaining = 1u << log;
	size_t bit = 4;

	if (log > max_log)
		return false;
	while (remaining > 0 && nr < most) {
		unsigned bits = high_bit(remaining + 1) + 1;
		uint32_t value = forward_bits(in, bit, bits);
		uint32_t low = value & ((1u << (bits - 1)) - 1);
		uint32_t short_ones = (1u << bits) - 2 - remaining;

		bit += bits;
		if (low < short_ones) {
			value = low;
			bit--;
		} else if (value >= 1u << (bits - 1)) {
			value -= short_ones;
		}
		if (value == 0 || value - 1 <= remaining) {
			probability[nr++] = (int16_t)((int)value - 1);
			remaining -= value == 0 ? 1 : value - 1;
		} else {
			return false;
		}
		if (value != 1)
			continue;
		for (uint32_t more = 3; more == 3; bit += 2) {
			more = forward_bits(in, bit, 2);
			if (more > most - nr)
				return false;
			for (uint32_t i = 0; i < more; i++)
				probability[nr++] = 0;
		}
	}
	if (remaining != 0 || (bit + 7) / 8 > left(in))
		return false;
	in->at += (bit + 7) / 8;
	return machine_build(m, probability, nr, log);
}

/* One state for ever. */
static void machine_constant(struct machine *m, uint8_t symbol)
{
	m->state[0] = (struct state){ .symbol = symbol };
	m->log = 0;
	m->ready = true;
}

static void machine_step(const struct machine *m, uint32_t *at, struct stream *s)
{
	const struct state *t = &m->state[*at];

	*at = t->base + (uint32_t)stream_read(s, t->bits);
}

/* ---- Huffman codes, 4.2 --------------------------------------------------------------------------- */

/* Two machines of one table take turns; the last symbols are those of the states in which the bits run out. */
static bool weights_packed(struct memory *z, struct input in, uint8_t *weight, unsigned *nr)
{
	struct stream s;
	uint32_t state[2];

	z->weights.ready = false;
	if (!machine_read(&z->weights, &in, 256, 6) || !stream_open(&s, in.at, left(&in)))
		return false;
	state[0] = (uint32_t)stream_read(&s, z->weights.log);
	state[1] = (uint32_t)stream_read(&s, z->weights.log);
	for (*nr = 0; s.bits >= 0; (*nr)++) {
		uint32_t *now = &state[*nr & 1];

		if (*nr >= 254)
			return false;
		weight[*nr] = z->weights.state[*now].symbol;
		machine_step(&z->weights, now, &s);
	}
	weight[*nr] = z->weights.state[state[*nr & 1]].symbol;
	(*nr)++;
	return true;
}

static bool weights_read(struct memory *z, struct input *in, uint8_t *weight, unsigned *nr)
{
	struct input packed;
	unsigned head;

	if (!left(in))
		return false;
	head = *in->at++;
	if (head < 128) {
		if (head > left(in))
			return false;
		packed = (struct input){ in->at, in->at + head };
		in->at += head;
		return weights_packed(z, packed, weight, nr);
	}
	*nr = head - 127;
	if ((*nr + 1) / 2 > left(in))
		return false;
	for (unsigned i = 0; i < *nr; i++)
		weight[i] = in->at[i / 2] >> (i & 1 ? 0 : 4) & 15;
	in->at += (*nr + 1) / 2;
	return true;
}

/* The last symbol's weight is what is missing to a power of two. */
static bool weights_complete(uint8_t *weight, unsigned *nr, unsigned *bits)
{
	uint32_t sum = 0, rest;

	for (unsigned i = 0; i < *nr; i++) {
		if (weight[i] > HUF_MAX_BITS)
			return false;
		sum += weight[i] ? 1u << (weight[i] - 1) : 0;
	}
	if (sum == 0)
		return false;
	*bits = high_bit(sum) + 1;
	rest = (1u << *bits) - sum;
	if (*bits > HUF_MAX_BITS || (rest & (rest - 1)))
		return false;
	weight[(*nr)++] = (uint8_t)(high_bit(rest) + 1);
	return true;
}

/* Lighter symbols have longer codes and come first; a code shorter than the longest takes several entries. */
static bool huffman_read(struct memory *z, struct input *in)
{
	uint8_t weight[256];
	unsigned nr, bits;
	uint32_t at = 0;

	z->huffman_bits = 0;
	if (!weights_read(z, in, weight, &nr) || !weights_complete(weight, &nr, &bits))
		return false;
	for (unsigned w = 1; w <= bits; w++)
		for (unsigned s = 0; s < nr; s++)
			for (uint32_t i = 0; weight[s] == w && i < 1u << (w - 1); i++, at++) {
				z->huffman[at].symbol = (uint8_t)s;
				z->huffman[at].bits = (uint8_t)(bits + 1 - w);
			}
	z->huffman_bits = bits;
	return true;
}

static bool huffman_stream(const struct memory *z, const uint8_t *p, size_t n, uint8_t *out,
			   size_t size)
{
	unsigned bits = z->huffman_bits;
	struct stream s;

	if (!stream_open(&s, p, n))
		return false;
	while (size > 0 && s.bits >= 0) {
		unsigned batch = (unsigned)MIN(size, (size_t)(56 / HUF_MAX_BITS));
		uint64_t v = stream_peek(&s, 55);
		unsigned used = 0;

		size -= batch;
		while (batch--) {
			uint64_t code = v >> (55 - used - bits) & ((1u << bits) - 1);

			*out++ = z->huffman[code].symbol;
			used += z->huffman[code].bits;
		}
		s.bits -= used;
	}
	return size == 0 && s.bits == 0;
}

/* ---- literals, 3.1.1.3.1 -------------------------------------------------------------------------- */

enum literals_type { LITERALS_RAW, LITERALS_RLE, LITERALS_PACKED, LITERALS_SAME_TABLE };

static bool literals_plain(struct memory *z, struct input *in, enum literals_type type)
{
	static const uint8_t bytes[] = { 1, 2, 1, 3 };
	unsigned format = *in->at >> 2 & 3, n = bytes[format];
	size_t size, stored;

	if (n > left(in))
		return false;
	size = le(in->at, n) >> (format & 1 ? 4 : 3);
	in->at += n;
	stored = type == LITERALS_RLE ? 1 : size;
	if (size > MAX_BLOCK || stored > left(in))
		return false;
	if (type == LITERALS_RLE)
		memset(z->literals, *in->at, size);
	else
		memcpy(z->literals, in->at, size);
	in->at += stored;
	z->nr_literals = size;
	return true;
}

/* Four streams: the sizes of the first three, then all four; each gives a quarter. */
static bool four_streams(struct memory *z, const struct input *in)
{
	size_t quarter = (z->nr_literals + 3) / 4;
	const uint8_t *p = in->at + 6;
	uint8_t *out = z->literals;

	if (left(in) < 6 || quarter * 3 > z->nr_literals)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		size_t n = i < 3 ? le(in->at + 2 * i, 2) : (size_t)(in->end - p);

		if (n > (size_t)(in->end - p) ||
		    !huffman_stream(z, p, n, out, i < 3 ? quarter : z->nr_literals - 3 * quarter))
			return false;
		p += n;
		out += quarter;
	}
	return true;
}

static bool literals_packed(struct memory *z, struct input *in, enum literals_type type)
{
	static const uint8_t bytes[] = { 3, 3, 4, 5 }, width[] = { 10, 10, 14, 18 };
	unsigned format = *in->at >> 2 & 3, n = bytes[format], w = width[format];
	struct input packed;
	uint64_t head;
	size_t size;

	if (n > left(in))
		return false;
	head = le(in->at, n) >> 4;
	in->at += n;
	z->nr_literals = head & ((1u << w) - 1);
	size = head >> w & ((1u << w) - 1);
	if (z->nr_literals > MAX_BLOCK || size > left(in))
		return false;
	packed = (struct input){ in->at, in->at + size };
	in->at += size;
	if (type == LITERALS_PACKED && !huffman_read(z, &packed))
		return false;
	if (!z->huffman_bits)
		return false;
	if (format == 0)
		return huffman_stream(z, packed.at, left(&packed), z->literals, z->nr_literals);
	return four_streams(z, &packed);
}

static bool literals_read(struct memory *z, struct input *in)
{
	enum literals_type type;

	if (!left(in))
		return false;
	type = *in->at & 3;
	return type <= LITERALS_RLE ? literals_plain(z, in, type) : literals_packed(z, in, type);
}

/* ---- sequences, 3.1.1.3.2 ------------------------------------------------------------------------- */

/* What a code of a length stands for: from here on, plus so many bits. */
struct length_code {
	uint32_t from;
	uint8_t bits;
};

#define LITERAL_CODES 36u
#define MATCH_CODES   53u
#define OFFSET_CODES  32u /* 31 bits are more than any window that we have room for */

static struct length_code literal_code(unsigned code)
{
	static const struct length_code more[] = {
		{ 16, 1 },    { 18, 1 },    { 20, 1 },     { 22, 1 },     { 24, 2 },
		{ 28, 2 },    { 32, 3 },    { 40, 3 },     { 48, 4 },     { 64, 6 },
		{ 128, 7 },   { 256, 8 },   { 512, 9 },    { 1024, 10 },  { 2048, 11 },
		{ 4096, 12 }, { 8192, 13 }, { 16384, 14 }, { 32768, 15 }, { 65536, 16 },
	};

	return code < 16 ? (struct length_code){ code, 0 } : more[code - 16];
}

static struct length_code match_code(unsigned code)
{
	static const struct length_code more[] = {
		{ 35, 1 },     { 37, 1 },    { 39, 1 },    { 41, 1 },     { 43, 2 },
		{ 47, 2 },     { 51, 3 },    { 59, 3 },    { 67, 4 },     { 83, 4 },
		{ 99, 5 },     { 131, 7 },   { 259, 8 },   { 515, 9 },    { 1027, 10 },
		{ 2051, 11 },  { 4099, 12 }, { 8195, 13 }, { 16387, 14 }, { 32771, 15 },
		{ 65539, 16 },
	};

	return code < 32 ? (struct length_code){ code + 3, 0 } : more[code - 32];
}

/* The machines that a block may use without describing them, 3.1.1.3.2.2. */
static const int16_t usual_literals[] = { 4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1,  1,  2,  2,
					  2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1 };
static const int16_t usual_matches[] = { 1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1,  1,  1,  1,  1,  1,  1, 1,
					 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,  1,  1,  1,  1,  1,  1, 1,
					 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1 };
static const int16_t usual_offsets[] = { 1, 1, 1, 1, 1, 1, 2, 2, 2, 1,  1,  1,  1,  1, 1,
					 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1 };

enum table_mode { TABLE_USUAL, TABLE_CONSTANT, TABLE_DESCRIBED, TABLE_SAME };

struct table_kind {
	const int16_t *usual;
	unsigned nr_usual, usual_log, codes, max_log;
};

static bool table_read(struct machine *m, struct input *in, enum table_mode mode,
		       const struct table_kind *k)
{
	switch (mode) {
	case TABLE_USUAL: return machine_build(m, k->usual, k->nr_usual, k->usual_log);
	case TABLE_CONSTANT:
		if (!left(in) || *in->at >= k->codes)
			return false;
		machine_constant(m, *in->at++);
		return true;
	case TABLE_DESCRIBED: m->ready = false; return machine_read(m, in, k->codes, k->max_log);
	default: return m->ready;
	}
}

static bool tables_read(struct memory *z, struct input *in)
{
	static const struct table_kind literals = { usual_literals, ARRAY_SIZE(usual_literals), 6,
						    LITERAL_CODES, 9 };
	static const struct table_kind offsets = { usual_offsets, ARRAY_SIZE(usual_offsets), 5,
						   OFFSET_CODES, 8 };
	static const struct table_kind matches = { usual_matches, ARRAY_SIZE(usual_matches), 6,
						   MATCH_CODES, 9 };
	unsigned modes;

	if (!left(in))
		return false;
	modes = *in->at++;
	return !(modes & 3) && table_read(&z->literal_length, in, modes >> 6, &literals) &&
	       table_read(&z->offset, in, modes >> 4 & 3, &offsets) &&
	       table_read(&z->match_length, in, modes >> 2 & 3, &matches);
}

/*
 * Values 1 to 3 name one of the last three offsets, one later when there are no literals between (3 is then the last less
 * one). What was named comes to the front. 0: there is no such offset.
 */
static uint32_t offset_of(struct memory *z, uint64_t value, uint32_t literals)
{
	uint32_t *r = z->repeat, offset;
	unsigned which;

	if (value > 3) {
		which = 2;
		offset = (uint32_t)MIN(value - 3, (uint64_t)UINT32_MAX);
	} else {
		which = (unsigned)value - 1 + (literals == 0);
		offset = which < 3 ? r[which] : r[0] - 1;
	}
	if (which >= 2)
		r[2] = r[1];
	if (which >= 1)
		r[1] = r[0];
	r[0] = offset;
	return offset;
}

static bool put_literals(struct memory *z, struct output *out, size_t *from, size_t n)
{
	if (n > z->nr_literals - *from || n > out->room - out->done)
		return false;
	memcpy(out->start + out->done, z->literals + *from, n);
	*from += n;
	out->done += n;
	return true;
}

/* A match that runs into itself repeats. */
static bool put_match(struct output *out, uint32_t offset, size_t n)
{
	uint8_t *to = out->start + out->done;

	if (offset == 0 || offset > out->done || n > out->room - out->done)
		return false;
	out->done += n;
	if (offset >= n) {
		memcpy(to, to - offset, n);
		return true;
	}
	for (; n--; to++)
		*to = *(to - offset);
	return true;
}

static bool sequences_run(struct memory *z, struct stream *s, uint32_t nr, struct output *out)
{
	uint32_t ll, of, ml;
	size_t from = 0;

	ll = (uint32_t)stream_read(s, z->literal_length.log);
	of = (uint32_t)stream_read(s, z->offset.log);
	ml = (uint32_t)stream_read(s, z->match_length.log);
	for (; nr > 0; nr--) {
		unsigned offset_bits = z->offset.state[of].symbol;
		struct length_code match = match_code(z->match_length.state[ml].symbol);
		struct length_code literal = literal_code(z->literal_length.state[ll].symbol);
		uint64_t value = ((uint64_t)1 << offset_bits) + stream_read(s, offset_bits);
		uint32_t match_length = match.from + (uint32_t)stream_read(s, match.bits);
		uint32_t literals = literal.from + (uint32_t)stream_read(s, literal.bits);

		if (s->bits < 0 || !put_literals(z, out, &from, literals) ||
		    !put_match(out, offset_of(z, value, literals), match_length))
			return false;
		if (nr == 1)
			break;
		machine_step(&z->literal_length, &ll, s);
		machine_step(&z->match_length, &ml, s);
		machine_step(&z->offset, &of, s);
	}
	return s->bits == 0 && put_literals(z, out, &from, z->nr_literals - from);
}

static bool sequence_count(struct input *in, uint32_t *nr)
{
	unsigned bytes;

	if (!left(in))
		return false;
	bytes = *in->at < 128 ? 1 : *in->at < 255 ? 2 : 3;
	if (bytes > left(in))
		return false;
	*nr = *in->at;
	if (bytes == 2)
		*nr = ((*nr - 128) << 8) + in->at[1];
	if (bytes == 3)
		*nr = (uint32_t)le(in->at + 1, 2) + 0x7f00;
	in->at += bytes;
	return true;
}

static bool block_packed(struct memory *z, struct input in, struct output *out)
{
	struct stream s;
	size_t from = 0;
	uint32_t nr;

	if (!literals_read(z, &in) || !sequence_count(&in, &nr))
		return false;
	if (nr == 0)
		return left(&in) == 0 && put_literals(z, out, &from, z->nr_literals);
	return tables_read(z, &in) && stream_open(&s, in.at, left(&in)) &&
	       sequences_run(z, &s, nr, out);
}

/* ---- the check of everything: XXH64 with seed 0 --------------------------------------------------- */

#define PRIME1 0x9e3779b185ebca87ull
#define PRIME2 0xc2b2ae3d27d4eb4full
#define PRIME3 0x165667b19e3779f9ull
#define PRIME4 0x85ebca77c2b2ae63ull
#define PRIME5 0x27d4eb2f165667c5ull

static uint64_t rotate(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static uint64_t hash_round(uint64_t acc, uint64_t lane)
{
	return rotate(acc + lane * PRIME2, 31) * PRIME1;
}

static uint64_t hash_tail(uint64_t h, const uint8_t *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8)
		h = rotate(h ^ hash_round(0, le(p, 8)), 27) * PRIME1 + PRIME4;
	if (n >= 4) {
		h = rotate(h ^ le(p, 4) * PRIME1, 23) * PRIME2 + PRIME3;
		p += 4;
		n -= 4;
	}
	while (n--)
		h = rotate(h ^ *p++ * PRIME5, 11) * PRIME1;
	h = (h ^ h >> 33) * PRIME2;
	h = (h ^ h >> 29) * PRIME3;
	return h ^ h >> 32;
}

static uint64_t hash(const uint8_t *p, size_t n)
{
	uint64_t acc[4] = { PRIME1 + PRIME2, PRIME2, 0, 0 - PRIME1 }, h = PRIME5, size = n;

	if (n >= 32) {
		for (; n >= 32; p += 32, n -= 32)
			for (unsigned i = 0; i < 4; i++)
				acc[i] = hash_round(acc[i], le(p + 8 * i, 8));
		h = rotate(acc[0], 1) + rotate(acc[1], 7) + rotate(acc[2], 12) + rotate(acc[3], 18);
		for (unsigned i = 0; i < 4; i++)
			h = (h ^ hash_round(0, acc[i])) * PRIME1 + PRIME4;
	}
	return hash_tail(h + size, p, n);
}

/* ---- frames, 3.1.1 -------------------------------------------------------------------------------- */

enum block_type { BLOCK_RAW, BLOCK_RLE, BLOCK_PACKED };

static bool block(struct memory *z, struct input *in, struct output *out, bool *last)
{
	uint32_t head;
	size_t size, stored;
	unsigned type;

	if (left(in) < 3)
		return false;
	head = (uint32_t)le(in->at, 3);
	in->at += 3;
	*last = head & 1;
	type = head >> 1 & 3;
	size = head >> 3;
	stored = type == BLOCK_RLE ? 1 : size;
	if (type > BLOCK_PACKED || stored > left(in) || size > MAX_BLOCK)
		return false;
	if (type == BLOCK_PACKED) {
		if (!block_packed(z, (struct input){ in->at, in->at + size }, out))
			return false;
	} else {
		if (size > out->room - out->done)
			return false;
		if (type == BLOCK_RAW)
			memcpy(out->start + out->done, in->at, size);
		else
			memset(out->start + out->done, *in->at, size);
		out->done += size;
	}
	in->at += stored;
	return true;
}

/* The sizes in the header of a frame are of no use to us: there is one output buffer, and it has its end. Dictionaries are refused. */
static bool frame_header(struct input *in, bool *checksum)
{
	static const uint8_t content_bytes[] = { 0, 2, 4, 8 };
	unsigned flags, bytes;

	if (left(in) < 5 || le(in->at, 4) != FRAME_MAGIC)
		return false;
	flags = in->at[4];
	in->at += 5;
	if (flags & 0x0b) /* a bit that is reserved, or a dictionary */
		return false;
	*checksum = flags & 4;
	bytes = content_bytes[flags >> 6];
	if (!(flags & 0x20))
		bytes++; /* the window's size */
	else if (bytes == 0)
		bytes = 1;
	if (bytes > left(in))
		return false;
	in->at += bytes;
	return true;
}

size_t zstd_memory(void)
{
	return sizeof(struct memory);
}

bool zstd_frame(void *memory, const void *src, size_t n, void *dst, size_t room, size_t *size)
{
	struct input in = { src, (const uint8_t *)src + n };
	struct output out = { .start = dst, .room = room };
	bool checksum, last = false;
	struct memory *z = memory;

	z->literal_length.ready = z->offset.ready = z->match_length.ready = false;
	z->huffman_bits = 0;
	z->repeat[0] = 1;
	z->repeat[1] = 4;
	z->repeat[2] = 8;
	if (!frame_header(&in, &checksum))
		return false;
	while (!last)
		if (!block(z, &in, &out, &last))
			return false;
	if (checksum && (left(&in) < CHECKSUM_BYTES ||
			 le(in.at, CHECKSUM_BYTES) != (uint32_t)hash(out.start, out.done)))
		return false;
	*size = out.done;
	return true;
}

static bool unpack(const void *src, size_t n, void *dst, size_t room, size_t *size)
{
	void *memory = payload_take(sizeof(struct memory));

	return memory && zstd_frame(memory, src, n, dst, room, size);
}

const struct payload_format payload_zstd = { .name = "zstd",
					     .magic = { 0x28, 0xb5, 0x2f, 0xfd },
					     .length = 4,
					     .arena = 6,
					     .unpack = unpack };
