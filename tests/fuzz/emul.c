/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The x86 instruction emulator on any bytes and registers, with memory and ports that answer anything, fault, or want to be asked again: its results
 * keep what asm/emul.h promises.
 */
#include "../../hv/arch/x86_64/include/asm/emul.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const uint8_t *p, *end;
static unsigned calls;

static uint8_t u8(void)
{
	return p < end ? *p++ : 0;
}

static uint64_t u64(void)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | u8();
	return v;
}

static void must(bool rule)
{
	if (!rule)
		abort();
}

static enum emul_result answer(struct emul *e)
{
	uint8_t how = u8();

	/* One instruction touches memory a few times at most. */
	must(++calls < 16);
	if (how == 1)
		return EMUL_WAIT;
	if (how != 2)
		return EMUL_DONE;
	e->fault.vector = 14;
	e->fault.error = 2;
	return EMUL_FAULT;
}

static void width(unsigned size)
{
	must(size == 1 || size == 2 || size == 4 || size == 8);
}

static enum emul_result on_read(struct emul *e, uint64_t va, unsigned size, uint64_t *value)
{
	width(size);
	*value = u64() >> (64 - 8 * size);
	return answer(e);
}

static enum emul_result on_write(struct emul *e, uint64_t va, unsigned size, uint64_t value)
{
	width(size);
	must(size == 8 || value >> 8 * size == 0);
	return answer(e);
}

static enum emul_result on_port(struct emul *e, uint16_t port, unsigned size, bool write,
				uint32_t *value)
{
	must(size == 1 || size == 2 || size == 4);
	if (!write)
		*value = (uint32_t)u64();
	return answer(e);
}

static enum emul_result on_read_cr(struct emul *e, unsigned n, bool status, uint64_t *value)
{
	*value = u64();
	return answer(e);
}

static enum emul_result on_write_cr(struct emul *e, unsigned n, uint64_t value)
{
	return answer(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct emul_ops ops = { on_read, on_write, on_port, on_read_cr, on_write_cr };
	struct emul e = { .ops = &ops }, before;
	enum emul_result res;

	p = data;
	end = data + n;
	calls = 0;
	e.bits = (uint8_t)(16u << u8() % 3);
	e.nr_bytes = u8() % (EMUL_MAX_BYTES + 1);
	for (unsigned i = 0; i < e.nr_bytes; i++)
		e.bytes[i] = u8();
	for (unsigned i = 0; i < 16; i++)
		e.gpr[i] = u8() & 1 ? u64() : u8();
	e.rip = u64();
	e.rflags = u64();
	for (unsigned i = 0; i < 6; i++)
		e.base[i] = u8() & 1 ? u64() : 0;
	before = e;
	res = emulate(&e);
	if (res == EMUL_DONE) {
		must(e.length >= 1 && e.length <= e.nr_bytes);
		must(e.rip == before.rip || (uint32_t)(e.rip - before.rip) <= EMUL_MAX_BYTES ||
		     (uint16_t)(e.rip - before.rip) <= EMUL_MAX_BYTES);
		return 0;
	}
	must(res == EMUL_BYTES || res == EMUL_UNKNOWN || res == EMUL_FAULT || res == EMUL_WAIT);
	must(!memcmp(e.gpr, before.gpr, sizeof(e.gpr)) && e.rip == before.rip &&
	     e.rflags == before.rflags);
	must(res != EMUL_FAULT || e.fault.vector < 32);
	return 0;
}
