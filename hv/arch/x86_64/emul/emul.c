/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding and executing one instruction (APM vol. 3). Decoding fills in a struct insn from a table of opcodes; executing works on copies of
 * the registers, which replace the caller's only when all went well. No state, no lock; also built and fuzzed on
 * the host.
 */
#include "../include/asm/emul.h" /* by path: also built for the host library */

#define FLAG_CF          BIT(0)
#define FLAG_PF          BIT(2)
#define FLAG_AF          BIT(4)
#define FLAG_ZF          BIT(6)
#define FLAG_SF          BIT(7)
#define FLAG_DF          BIT(10)
#define FLAG_OF          BIT(11)
#define FLAGS_ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

#define RCX              1
#define RSP              4
#define RBP              5
#define RSI              6
#define RDI              7

/* What to do, by opcode. */
enum operation {
	OP_NONE,
	OP_ALU, /* sub: 0..7 add or adc sbb and sub xor cmp */
	OP_TEST,
	OP_MOV,
	OP_MOVZX,
	OP_MOVSX,
	OP_XCHG,
	OP_CMPXCHG,
	OP_XADD,
	OP_GROUP1,
	OP_GROUP3,
	OP_GROUP4,
	OP_BIT,
	OP_MOVS,
	OP_STOS,
	OP_LODS,
	OP_INS,
	OP_OUTS,
	OP_READ_CR,
	OP_WRITE_CR,
	OP_GROUP7,
	OP_CLTS,
};

/* How the operands are encoded. */
#define F_MODRM  0x01u
#define F_BYTE   0x02u /* 8-bit operands */
#define F_TO_REG 0x04u /* reg is the destination, r/m the source */
#define F_IMM8   0x08u /* sign-extended byte */
#define F_IMM    0x10u /* operand size, at most 32 bits, sign-extended */
#define F_MOFFS  0x20u /* A0..A3: address in the instruction, register is rax */
#define F_ACC    0x40u /* rax and an immediate */
#define F_SRC8   0x80u /* MOVZX, MOVSX: source is a byte */

struct opcode {
	uint8_t op, flags;
};

static const struct opcode one_byte[256] = {
#define ALU_ROW(base)                                                            \
	[base] = { OP_ALU, F_MODRM | F_BYTE }, [base + 1] = { OP_ALU, F_MODRM }, \
	[base + 2] = { OP_ALU, F_MODRM | F_BYTE | F_TO_REG },                    \
	[base + 3] = { OP_ALU, F_MODRM | F_TO_REG },                             \
	[base + 4] = { OP_ALU, F_ACC | F_BYTE | F_IMM8 }, [base + 5] = { OP_ALU, F_ACC | F_IMM }
	ALU_ROW(0x00),
	ALU_ROW(0x08),
	ALU_ROW(0x10),
	ALU_ROW(0x18),
	ALU_ROW(0x20),
	ALU_ROW(0x28),
	ALU_ROW(0x30),
	ALU_ROW(0x38),
	[0x63] = { OP_MOVSX, F_MODRM | F_TO_REG },
	[0x6c] = { OP_INS, F_BYTE },
	[0x6d] = { OP_INS, 0 },
	[0x6e] = { OP_OUTS, F_BYTE },
	[0x6f] = { OP_OUTS, 0 },
	[0x80] = { OP_GROUP1, F_MODRM | F_BYTE | F_IMM8 },
	[0x81] = { OP_GROUP1, F_MODRM | F_IMM },
	[0x83] = { OP_GROUP1, F_MODRM | F_IMM8 },
	[0x84] = { OP_TEST, F_MODRM | F_BYTE },
	[0x85] = { OP_TEST, F_MODRM },
	[0x86] = { OP_XCHG, F_MODRM | F_BYTE },
	[0x87] = { OP_XCHG, F_MODRM },
	[0x88] = { OP_MOV, F_MODRM | F_BYTE },
	[0x89] = { OP_MOV, F_MODRM },
	[0x8a] = { OP_MOV, F_MODRM | F_BYTE | F_TO_REG },
	[0x8b] = { OP_MOV, F_MODRM | F_TO_REG },
	[0xa0] = { OP_MOV, F_MOFFS | F_BYTE | F_TO_REG },
	[0xa1] = { OP_MOV, F_MOFFS | F_TO_REG },
	[0xa2] = { OP_MOV, F_MOFFS | F_BYTE },
	[0xa3] = { OP_MOV, F_MOFFS },
	[0xa4] = { OP_MOVS, F_BYTE },
	[0xa5] = { OP_MOVS, 0 },
	[0xaa] = { OP_STOS, F_BYTE },
	[0xab] = { OP_STOS, 0 },
	[0xac] = { OP_LODS, F_BYTE },
	[0xad] = { OP_LODS, 0 },
	[0xc6] = { OP_MOV, F_MODRM | F_BYTE | F_IMM8 },
	[0xc7] = { OP_MOV, F_MODRM | F_IMM },
	[0xf6] = { OP_GROUP3, F_MODRM | F_BYTE },
	[0xf7] = { OP_GROUP3, F_MODRM },
	[0xfe] = { OP_GROUP4, F_MODRM | F_BYTE },
	[0xff] = { OP_GROUP4, F_MODRM },
};

static const struct opcode two_byte[256] = {
	[0x01] = { OP_GROUP7, F_MODRM },
	[0x06] = { OP_CLTS, 0 },
	[0x20] = { OP_READ_CR, F_MODRM },
	[0x22] = { OP_WRITE_CR, F_MODRM },
	[0xa3] = { OP_BIT, F_MODRM },
	[0xab] = { OP_BIT, F_MODRM },
	[0xb3] = { OP_BIT, F_MODRM },
	[0xbb] = { OP_BIT, F_MODRM },
	[0xba] = { OP_BIT, F_MODRM | F_IMM8 },
	[0xb0] = { OP_CMPXCHG, F_MODRM | F_BYTE },
	[0xb1] = { OP_CMPXCHG, F_MODRM },
	[0xb6] = { OP_MOVZX, F_MODRM | F_TO_REG | F_SRC8 },
	[0xb7] = { OP_MOVZX, F_MODRM | F_TO_REG },
	[0xbe] = { OP_MOVSX, F_MODRM | F_TO_REG | F_SRC8 },
	[0xbf] = { OP_MOVSX, F_MODRM | F_TO_REG },
	[0xc0] = { OP_XADD, F_MODRM | F_BYTE },
	[0xc1] = { OP_XADD, F_MODRM },
};

struct insn {
	struct opcode code;
	uint8_t opcode; /* the last byte of it */
	bool two;       /* behind 0f */
	uint8_t rex, mod, reg, rm;
	uint8_t size, addr_size; /* bytes */
	uint8_t seg;             /* override, or the default */
	bool rep, repne, lock, memory;
	uint64_t address; /* linear, when memory */
	uint64_t imm;
};

/* ---- decoding ------------------------------------------------------------------------------------- */

struct cursor {
	const struct emul *e;
	unsigned at;
	bool ended;
};

static uint64_t take(struct cursor *c, unsigned n)
{
	uint64_t v = 0;

	if (c->at + n > c->e->nr_bytes) {
		c->ended = true;
		return 0;
	}
	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t)c->e->bytes[c->at + i] << (8 * i);
	c->at += n;
	return v;
}

static uint64_t sign_extend(uint64_t v, unsigned size)
{
	unsigned shift = 64 - 8 * size;

	return (uint64_t)((int64_t)(v << shift) >> shift);
}

static uint64_t mask_of(unsigned size)
{
	return size == 8 ? ~0ull : (1ull << 8 * size) - 1;
}

static void prefixes(struct cursor *c, struct insn *in)
{
	bool operand = false, address = false;
	unsigned bits = c->e->bits;

	in->seg = 0xff;
	for (;;) {
		uint8_t b = (uint8_t)take(c, 1);

		if (c->ended)
			return;
		switch (b) {
		case 0x66: operand = true; break;
		case 0x67: address = true; break;
		case 0xf0: in->lock = true; break;
		case 0xf2: in->repne = true; break;
		case 0xf3: in->rep = true; break;
		case 0x26: in->seg = EMUL_ES; break;
		case 0x2e: in->seg = EMUL_CS; break;
		case 0x36: in->seg = EMUL_SS; break;
		case 0x3e: in->seg = EMUL_DS; break;
		case 0x64: in->seg = EMUL_FS; break;
		case 0x65: in->seg = EMUL_GS; break;
		default:
			if (bits == 64 && (b & 0xf0) == 0x40) {
				in->rex = b;
				b = (uint8_t)take(c, 1);
			}
			in->opcode = b;
			in->size = bits == 16 ? (operand ? 4 : 2) : (operand ? 2 : 4);
			if (in->rex & 8)
				in->size = 8;
			in->addr_size = bits == 64   ? (address ? 4 : 8)
					: bits == 32 ? (address ? 2 : 4)
						     : (address ? 4 : 2);
			return;
		}
	}
}

static uint64_t seg_base(const struct emul *e, uint8_t seg)
{
	return e->bits == 64 && seg != EMUL_FS && seg != EMUL_GS ? 0 : e->base[seg];
}

/* 16-bit addressing (APM vol. 3, table A-33): base registers by r/m. */
static uint64_t address_16(const struct emul *e, struct cursor *c, struct insn *in, uint8_t *seg)
{
	static const uint8_t first[8] = { 3, 3, RBP, RBP, RSI, RDI, RBP, 3 };
	static const uint8_t second[4] = { RSI, RDI, RSI, RDI };
	uint64_t a;

	if (in->mod == 0 && in->rm == 6)
		return take(c, 2);
	a = e->gpr[first[in->rm]] + (in->rm < 4 ? e->gpr[second[in->rm]] : 0);
	if (first[in->rm] == RBP)
		*seg = EMUL_SS;
	if (in->mod)
		a += sign_extend(take(c, in->mod), in->mod);
	return a & 0xffff;
}

/* 32- and 64-bit addressing with SIB and rip-relative. `*relative`: rip is to be added at the end. */
static uint64_t address_wide(const struct emul *e, struct cursor *c, struct insn *in, uint8_t *seg,
			     bool *relative)
{
	unsigned base = in->rm;
	uint64_t a = 0;

	if (base == 4) {
		uint8_t sib = (uint8_t)take(c, 1);
		unsigned index = (sib >> 3 & 7) | (in->rex & 2) << 2;

		base = sib & 7;
		if (index != 4)
			a = e->gpr[index] << (sib >> 6);
		if (base == 5 && in->mod == 0)
			return a + sign_extend(take(c, 4), 4);
	} else if (base == 5 && in->mod == 0) {
		*relative = e->bits == 64;
		return sign_extend(take(c, 4), 4);
	}
	if (base == RSP || base == RBP)
		*seg = in->rex & 1 ? *seg : EMUL_SS;
	a += e->gpr[base | (in->rex & 1) << 3];
	if (in->mod == 1)
		a += sign_extend(take(c, 1), 1);
	else if (in->mod == 2)
		a += sign_extend(take(c, 4), 4);
	return a;
}

static void modrm(const struct emul *e, struct cursor *c, struct insn *in, bool *relative)
{
	uint8_t b = (uint8_t)take(c, 1), seg = EMUL_DS;
	uint64_t a;

	if (in->code.op == OP_READ_CR || in->code.op == OP_WRITE_CR)
		b |= 0xc0; /* whatever mod says, it is a register */
	in->mod = b >> 6;
	in->reg = (uint8_t)((b >> 3 & 7) | (in->rex & 4) << 1);
	in->rm = b & 7;
	in->memory = in->mod != 3;
	if (!in->memory) {
		in->rm |= (in->rex & 1) << 3;
		return;
	}
	a = in->addr_size == 2 ? address_16(e, c, in, &seg)
			       : address_wide(e, c, in, &seg, relative);
	if (in->seg == 0xff)
		in->seg = seg;
	in->address = a;
}

/* TEST in groups F6 and F7 alone has an immediate. */
static void immediate(struct cursor *c, struct insn *in)
{
	uint8_t flags = in->code.flags;
	unsigned n = MIN(in->size, (uint8_t)4);

	if (in->code.op == OP_GROUP3 && (in->reg & 7) < 2)
		flags |= flags & F_BYTE ? F_IMM8 : F_IMM;
	if (flags & F_IMM8)
		in->imm = sign_extend(take(c, 1), 1);
	else if (flags & F_IMM)
		in->imm = sign_extend(take(c, n), n);
}

static enum emul_result decode(struct emul *e, struct insn *in)
{
	struct cursor c = { .e = e };
	bool relative = false;

	prefixes(&c, in);
	if (!c.ended && in->opcode == 0x0f) {
		in->two = true;
		in->opcode = (uint8_t)take(&c, 1);
	}
	if (c.ended)
		return e->nr_bytes < EMUL_MAX_BYTES ? EMUL_BYTES : EMUL_UNKNOWN;
	in->code = in->two ? two_byte[in->opcode] : one_byte[in->opcode];
	if (in->code.op == OP_NONE || (in->code.op == OP_MOVSX && !in->two && e->bits != 64))
		return EMUL_UNKNOWN;
	if (in->code.flags & F_BYTE)
		in->size = 1;
	if (in->code.flags & F_MODRM)
		modrm(e, &c, in, &relative);
	if (in->code.flags & F_MOFFS) {
		in->memory = true;
		in->address = take(&c, in->addr_size);
	}
	immediate(&c, in);
	if (c.ended)
		return e->nr_bytes < EMUL_MAX_BYTES ? EMUL_BYTES : EMUL_UNKNOWN;
	e->length = (uint8_t)c.at;
	if (in->seg == 0xff)
		in->seg = EMUL_DS;
	if (relative)
		in->address += e->rip + e->length;
	if (in->memory)
		in->address = (in->address & mask_of(in->addr_size)) + seg_base(e, in->seg);
	if (in->memory && e->bits != 64)
		in->address &= 0xffffffff;
	return EMUL_DONE;
}

/* ---- operands ------------------------------------------------------------------------------------- */

/* Without REX, byte registers 4..7 are ah ch dh bh. */
static bool high_byte(const struct insn *in, unsigned n, unsigned size)
{
	return size == 1 && !in->rex && n >= 4 && n < 8;
}

static uint64_t reg_get(const struct emul *e, const struct insn *in, unsigned n, unsigned size)
{
	if (high_byte(in, n, size))
		return e->gpr[n - 4] >> 8 & 0xff;
	return e->gpr[n] & mask_of(size);
}

/* 32-bit results clear the upper half; 8 and 16 bits leave the rest. */
static void reg_set(struct emul *e, const struct insn *in, unsigned n, unsigned size, uint64_t v)
{
	if (high_byte(in, n, size))
		e->gpr[n - 4] = (e->gpr[n - 4] & ~0xff00ull) | (v & 0xff) << 8;
	else if (size >= 4)
		e->gpr[n] = v & mask_of(size);
	else
		e->gpr[n] = (e->gpr[n] & ~mask_of(size)) | (v & mask_of(size));
}

static enum emul_result rm_get(struct emul *e, const struct insn *in, unsigned size, uint64_t *v)
{
	if (in->memory)
		return e->ops->read(e, in->address, size, v);
	*v = reg_get(e, in, in->rm, size);
	return EMUL_DONE;
}

static enum emul_result rm_set(struct emul *e, const struct insn *in, unsigned size, uint64_t v)
{
	if (in->memory)
		return e->ops->write(e, in->address, size, v & mask_of(size));
	reg_set(e, in, in->rm, size, v);
	return EMUL_DONE;
}

/* ---- arithmetic ------------------------------------------------------------------------------------ */

static uint64_t result_flags(uint64_t r, unsigned size)
{
	uint64_t f = 0;

	r &= mask_of(size);
	if (r == 0)
		f |= FLAG_ZF;
	if (r >> (8 * size - 1))
		f |= FLAG_SF;
	if (!(__builtin_popcount((unsigned)r & 0xff) & 1))
		f |= FLAG_PF;
	return f;
}

/* r = a +/- b +/- carry: carry and overflow from the bits (APM vol. 1, 3.1.4). */
static uint64_t sum_flags(uint64_t a, uint64_t b, uint64_t r, unsigned size, bool subtract)
{
	uint64_t carries = subtract ? (~a & b) | (~(a ^ b) & r) : (a & b) | ((a | b) & ~r);
	uint64_t over = subtract ? (a ^ b) & (a ^ r) : ~(a ^ b) & (a ^ r);
	unsigned top = 8 * size - 1;

	return result_flags(r, size) | (carries >> top & 1 ? FLAG_CF : 0) |
	       (carries >> 3 & 1 ? FLAG_AF : 0) | (over >> top & 1 ? FLAG_OF : 0);
}

static uint64_t alu(struct emul *e, unsigned op, uint64_t a, uint64_t b, unsigned size)
{
	uint64_t carry = e->rflags & FLAG_CF, r, flags;

	switch (op) {
	case 0: r = a + b; break;
	case 2: r = a + b + carry; break;
	case 3: r = a - b - carry; break;
	case 5:
	case 7: r = a - b; break;
	case 1: r = a | b; break;
	case 4: r = a & b; break;
	default: r = a ^ b; break;
	}
	if (op == 1 || op == 4 || op == 6)
		flags = result_flags(r, size);
	else
		flags = sum_flags(a, b, r, size, op == 3 || op == 5 || op == 7);
	e->rflags = (e->rflags & ~FLAGS_ARITHMETIC) | flags;
	return r;
}

/* a op= b for a r/m; CMP writes nothing. */
static enum emul_result alu_rm(struct emul *e, const struct insn *in, unsigned op, uint64_t b)
{
	enum emul_result res;
	uint64_t a, r;

	res = rm_get(e, in, in->size, &a);
	if (res != EMUL_DONE)
		return res;
	r = alu(e, op, a, b & mask_of(in->size), in->size);
	return op == 7 ? EMUL_DONE : rm_set(e, in, in->size, r);
}

static enum emul_result exec_alu(struct emul *e, const struct insn *in)
{
	unsigned op = in->opcode >> 3 & 7;
	enum emul_result res;
	uint64_t a, b;

	if (in->code.flags & F_ACC) {
		a = reg_get(e, in, 0, in->size);
		a = alu(e, op, a, in->imm & mask_of(in->size), in->size);
		if (op != 7)
			reg_set(e, in, 0, in->size, a);
		return EMUL_DONE;
	}
	if (!(in->code.flags & F_TO_REG))
		return alu_rm(e, in, op, reg_get(e, in, in->reg, in->size));
	res = rm_get(e, in, in->size, &b);
	if (res != EMUL_DONE)
		return res;
	a = alu(e, op, reg_get(e, in, in->reg, in->size), b, in->size);
	if (op != 7)
		reg_set(e, in, in->reg, in->size, a);
	return EMUL_DONE;
}

static enum emul_result exec_group3(struct emul *e, const struct insn *in)
{
	enum emul_result res;
	uint64_t a, flags;

	res = rm_get(e, in, in->size, &a);
	if (res != EMUL_DONE)
		return res;
	switch (in->reg & 7) {
	case 0:
	case 1: (void)alu(e, 4, a, in->imm & mask_of(in->size), in->size); return EMUL_DONE;
	case 2: return rm_set(e, in, in->size, ~a);
	case 3:
		flags = e->rflags;
		a = alu(e, 5, 0, a, in->size);
		res = rm_set(e, in, in->size, a);
		if (res != EMUL_DONE)
			e->rflags = flags;
		return res;
	default: return EMUL_UNKNOWN;
	}
}

/* INC and DEC leave the carry. */
static enum emul_result exec_group4(struct emul *e, const struct insn *in)
{
	uint64_t carry = e->rflags & FLAG_CF, a;
	enum emul_result res;

	if ((in->reg & 7) > 1)
		return EMUL_UNKNOWN;
	res = rm_get(e, in, in->size, &a);
	if (res != EMUL_DONE)
		return res;
	a = alu(e, in->reg & 1 ? 5 : 0, a, 1, in->size);
	e->rflags = (e->rflags & ~FLAG_CF) | carry;
	return rm_set(e, in, in->size, a);
}

/* BT, BTS, BTR, BTC: a register's bit number reaches beyond the operand. */
static enum emul_result exec_bit(struct emul *e, const struct insn *in)
{
	unsigned op = in->opcode == 0xba ? in->reg & 3 : in->opcode >> 3 & 3, bits = in->size * 8u;
	struct insn at = *in;
	enum emul_result res;
	uint64_t a, bit;

	if (in->opcode == 0xba) {
		if ((in->reg & 7) < 4)
			return EMUL_UNKNOWN;
		bit = in->imm & (bits - 1);
	} else {
		bit = sign_extend(reg_get(e, in, in->reg, in->size), in->size);
		if (in->memory)
			at.address += (uint64_t)(((int64_t)bit >> (in->size == 8   ? 6
								   : in->size == 4 ? 5
										   : 4)) *
						 in->size);
		bit &= bits - 1;
	}
	res = rm_get(e, &at, in->size, &a);
	if (res != EMUL_DONE)
		return res;
	e->rflags = (e->rflags & ~FLAG_CF) | (a >> bit & 1);
	if (op == 0)
		return EMUL_DONE;
	a = op == 1 ? a | 1ull << bit : op == 2 ? a & ~(1ull << bit) : a ^ 1ull << bit;
	return rm_set(e, &at, in->size, a);
}

/* ---- moving ---------------------------------------------------------------------------------------- */

static enum emul_result exec_mov(struct emul *e, const struct insn *in)
{
	unsigned reg = in->code.flags & F_MOFFS ? 0 : in->reg;
	enum emul_result res;
	uint64_t v;

	if (in->code.flags & (F_IMM | F_IMM8))
		return (in->reg & 7) ? EMUL_UNKNOWN : rm_set(e, in, in->size, in->imm);
	if (!(in->code.flags & F_TO_REG))
		return rm_set(e, in, in->size, reg_get(e, in, reg, in->size));
	res = rm_get(e, in, in->size, &v);
	if (res == EMUL_DONE)
		reg_set(e, in, reg, in->size, v);
	return res;
}

static enum emul_result exec_extend(struct emul *e, const struct insn *in)
{
	unsigned from = in->code.flags & F_SRC8 ? 1 : in->two ? 2 : 4;
	enum emul_result res;
	uint64_t v;

	res = rm_get(e, in, from, &v);
	if (res == EMUL_DONE)
		reg_set(e, in, in->reg, in->size,
			in->code.op == OP_MOVSX ? sign_extend(v, from) : v & mask_of(from));
	return res;
}

static enum emul_result exec_xchg(struct emul *e, const struct insn *in)
{
	uint64_t b = reg_get(e, in, in->reg, in->size), a;
	enum emul_result res;

	res = rm_get(e, in, in->size, &a);
	if (res == EMUL_DONE)
		res = rm_set(e, in, in->size, b);
	if (res == EMUL_DONE)
		reg_set(e, in, in->reg, in->size, a);
	return res;
}

static enum emul_result exec_cmpxchg(struct emul *e, const struct insn *in)
{
	uint64_t acc = reg_get(e, in, 0, in->size), a;
	enum emul_result res;

	res = rm_get(e, in, in->size, &a);
	if (res != EMUL_DONE)
		return res;
	(void)alu(e, 7, acc, a, in->size);
	if (acc == a)
		return rm_set(e, in, in->size, reg_get(e, in, in->reg, in->size));
	res = rm_set(e, in, in->size, a); /* the bus always sees a write */
	if (res == EMUL_DONE)
		reg_set(e, in, 0, in->size, a);
	return res;
}

static enum emul_result exec_xadd(struct emul *e, const struct insn *in)
{
	uint64_t b = reg_get(e, in, in->reg, in->size), a, r;
	enum emul_result res;

	res = rm_get(e, in, in->size, &a);
	if (res != EMUL_DONE)
		return res;
	r = alu(e, 0, a, b, in->size);
	reg_set(e, in, in->reg, in->size, a);
	return rm_set(e, in, in->size, r);
}

/* ---- strings --------------------------------------------------------------------------------------- */

static uint64_t index_get(const struct emul *e, const struct insn *in, unsigned n)
{
	return e->gpr[n] & mask_of(in->addr_size);
}

static void index_set(struct emul *e, const struct insn *in, unsigned n, uint64_t v)
{
	if (in->addr_size == 2)
		e->gpr[n] = (e->gpr[n] & ~0xffffull) | (v & 0xffff);
	else
		e->gpr[n] = v & mask_of(in->addr_size);
}

static uint64_t string_source(const struct emul *e, const struct insn *in)
{
	return index_get(e, in, RSI) + seg_base(e, in->seg);
}

static uint64_t string_target(const struct emul *e, const struct insn *in)
{
	return index_get(e, in, RDI) + seg_base(e, EMUL_ES);
}

static enum emul_result string_element(struct emul *e, const struct insn *in)
{
	uint16_t port = (uint16_t)e->gpr[2];
	enum emul_result res = EMUL_DONE;
	uint64_t v = 0;
	uint32_t io = 0;

	switch (in->code.op) {
	case OP_MOVS:
	case OP_LODS:
	case OP_OUTS: res = e->ops->read(e, string_source(e, in), in->size, &v); break;
	case OP_INS:
		res = e->ops->port(e, port, in->size, false, &io);
		v = io;
		break;
	default: v = reg_get(e, in, 0, in->size); break;
	}
	if (res != EMUL_DONE)
		return res;
	switch (in->code.op) {
	case OP_LODS: reg_set(e, in, 0, in->size, v); return EMUL_DONE;
	case OP_OUTS: io = (uint32_t)v; return e->ops->port(e, port, in->size, true, &io);
	default: return e->ops->write(e, string_target(e, in), in->size, v & mask_of(in->size));
	}
}

/* One element; rip moves on when there are no more. */
static enum emul_result exec_string(struct emul *e, const struct insn *in, bool *again)
{
	uint64_t step = e->rflags & FLAG_DF ? -(uint64_t)in->size : in->size;
	bool repeat = in->rep || in->repne;
	enum emul_result res;

	if (repeat && index_get(e, in, RCX) == 0)
		return EMUL_DONE;
	res = string_element(e, in);
	if (res != EMUL_DONE)
		return res;
	if (in->code.op != OP_STOS && in->code.op != OP_INS)
		index_set(e, in, RSI, e->gpr[RSI] + step);
	if (in->code.op != OP_LODS && in->code.op != OP_OUTS)
		index_set(e, in, RDI, e->gpr[RDI] + step);
	if (repeat) {
		index_set(e, in, RCX, e->gpr[RCX] - 1);
		*again = index_get(e, in, RCX) != 0;
	}
	return EMUL_DONE;
}

/* ---- control registers ----------------------------------------------------------------------------- */

static enum emul_result exec_group7(struct emul *e, const struct insn *in)
{
	unsigned op = in->reg & 7;
	enum emul_result res;
	uint64_t cr0, v;

	res = e->ops->read_cr(e, 0, op == 4, &cr0);
	if (res != EMUL_DONE)
		return res;
	switch (op) {
	case 4: /* SMSW */ return rm_set(e, in, in->memory ? 2 : in->size, cr0);
	case 6: /* LMSW sets PE but never clears it */
		res = rm_get(e, in, 2, &v);
		if (res != EMUL_DONE)
			return res;
		return e->ops->write_cr(e, 0, (cr0 & ~0xeull) | (v & 0xf));
	default: return EMUL_UNKNOWN;
	}
}

static enum emul_result exec_cr(struct emul *e, const struct insn *in)
{
	unsigned size = e->bits == 64 ? 8 : 4;
	/* LOCK is the way to CR8 without REX (vol. 3, MOV CRn). */
	unsigned cr = in->reg | (in->lock ? 8 : 0);

	enum emul_result res;
	uint64_t value;

	if (in->code.op == OP_WRITE_CR)
		return e->ops->write_cr(e, cr, e->gpr[in->rm] & mask_of(size));
	if (in->code.op == OP_CLTS)
		cr = 0;
	res = e->ops->read_cr(e, cr, false, &value);
	if (res != EMUL_DONE)
		return res;
	if (in->code.op == OP_CLTS)
		return e->ops->write_cr(e, 0, value & ~8ull);
	reg_set(e, in, in->rm, size, value);
	return EMUL_DONE;
}

/* ---- one instruction -------------------------------------------------------------------------------- */

static enum emul_result execute(struct emul *e, const struct insn *in, bool *again)
{
	switch (in->code.op) {
	case OP_ALU: return exec_alu(e, in);
	case OP_GROUP1: return alu_rm(e, in, in->reg & 7, in->imm);
	case OP_TEST: {
		enum emul_result res;
		uint64_t a;

		res = rm_get(e, in, in->size, &a);
		if (res == EMUL_DONE)
			(void)alu(e, 4, a, reg_get(e, in, in->reg, in->size), in->size);
		return res;
	}
	case OP_MOV: return exec_mov(e, in);
	case OP_MOVZX:
	case OP_MOVSX: return exec_extend(e, in);
	case OP_XCHG: return exec_xchg(e, in);
	case OP_CMPXCHG: return exec_cmpxchg(e, in);
	case OP_XADD: return exec_xadd(e, in);
	case OP_GROUP3: return exec_group3(e, in);
	case OP_GROUP4: return exec_group4(e, in);
	case OP_BIT: return exec_bit(e, in);
	case OP_GROUP7: return exec_group7(e, in);
	case OP_READ_CR:
	case OP_WRITE_CR:
	case OP_CLTS: return exec_cr(e, in);
	default: return exec_string(e, in, again);
	}
}

enum emul_result emulate(struct emul *e)
{
	struct emul work = *e;
	struct insn in = { .lock = false };
	enum emul_result res;
	bool again = false;

	res = decode(&work, &in);
	if (res == EMUL_DONE)
		res = execute(&work, &in, &again);
	if (res != EMUL_DONE) {
		e->fault = work.fault;
		return res;
	}
	if (!again)
		work.rip = (work.rip + work.length) & (work.bits == 64 ? ~0ull : 0xffffffff);
	*e = work;
	return EMUL_DONE;
}
