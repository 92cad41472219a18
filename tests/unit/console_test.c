/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The console: whole lines with their owner's mark, one owner of the input, PV rings whose guests may lie,
 * output that waits for no device.
 */
#include "sim.h"
#include <stdio.h>
#include <arch/memory.h>
#include <hv/console.h>
#include <hv/log.h>
#include <hv/option.h>
#include <xen/io/console.h>

#define RING_GFN 5u

static struct domain *d0, *d1;

/* Two domains: 0 has the hypervisor's console, 1 has not. */
static int setup(void **state)
{
	struct domain_config cfg = {
		.roles = ROLE_CONSOLE | ROLE_CONTROL | ROLE_HARDWARE,
		.max_vcpus = 1,
		.max_frames = 64,
		.max_evtchn = 64,
		.max_grant_frames = 1,
		.max_maptrack_frames = 1,
		.node = ALLOC_ANY_NODE,
	};

	sim_boot(1, 16 << 20, 1);
	options_parse("");
	d0 = sim_domain_cfg(&cfg, 16);
	cfg.roles = 0;
	d1 = sim_domain_cfg(&cfg, 16);
	assert_int_equal(console_domain_init(d0), 0);
	assert_int_equal(console_domain_init(d1), 0);
	return 0;
}

static int teardown(void **state)
{
	sim_end_all();
	sim_shutdown();
	return 0;
}

/* What was printed since the last call. */
static const char *printed(void)
{
	static size_t seen;
	const char *all = sim_console();
	size_t n = strlen(all);
	const char *s = all + (seen <= n ? seen : 0);

	seen = n;
	return s;
}

static void write_as(struct domain *d, const char *s)
{
	console_domain_write(d, s, strlen(s));
}

static void lines_in_the_background_are_whole_and_marked(void **state)
{
	char mark[16];

	printed();
	write_as(d1, "hel");
	assert_string_equal(printed(), "");
	write_as(d1, "lo\r\nwor");
	snprintf(mark, sizeof(mark), "(d%u) ", d1->id);
	assert_memory_equal(printed(), mark, strlen(mark));
	assert_true(sim_console_has("hello\r\n"));
	assert_false(sim_console_has("wor"));
}

static void background_lines_carry_no_control_characters(void **state)
{
	write_as(d1, "a\x1b[31mred\x1b[0m\x07\x08\tz\n");
	assert_true(sim_console_has("ared\tz\r\n"));
	write_as(d1, "\x1b[never ends\nnext\n");
	assert_true(sim_console_has("next\r\n"));
}

static void long_background_lines_are_cut_into_pieces(void **state)
{
	char text[1001];

	memset(text, 'x', 1000);
	text[1000] = '\0';
	printed();
	write_as(d1, text);
	assert_int_equal(strlen(printed()) / (256 + 7), 3);
}

static void the_owner_of_the_input_prints_at_once(void **state)
{
	console_input_to(d1->id);
	printed();
	write_as(d1, "pro");
	assert_non_null(strstr(printed(), "pro"));
	write_as(d1, "mpt # ");
	assert_string_equal(printed(), "mpt # ");
}

static void an_open_line_is_ended_for_somebody_elses(void **state)
{
	const char *s;

	console_input_to(d1->id);
	write_as(d1, "prompt # ");
	printed();
	write_as(d0, "news\n");
	s = printed();
	assert_memory_equal(s, "\r\n(d", 4);
	assert_non_null(strstr(s, "news\r\n"));
	write_as(d1, "typed\n");
	assert_memory_equal(printed(), "(d", 2);
	write_as(d1, "\n"); /* an end of line alone is a line of its own */
	assert_non_null(strstr(printed(), "\r\n"));
}

static void a_begun_line_shows_when_the_input_comes(void **state)
{
	write_as(d1, "login: ");
	printed();
	console_input_to(d1->id);
	assert_non_null(strstr(printed(), "login: "));
}

static void three_switch_characters_move_the_input_on(void **state)
{
	char buf[8];

	console_input_to(d0->id);
	sim_type("\x01\x01\x01");
	sim_run(NULL, NULL);
	assert_int_equal(console_input_owner(), d1->id);
	sim_type("\x01\x01\x01");
	sim_run(NULL, NULL);
	assert_int_equal(console_input_owner(), DOMID_XEN);
	sim_type("\x01\x01\x01");
	sim_run(NULL, NULL);
	assert_int_equal(console_input_owner(), d0->id);
	assert_int_equal(console_domain_read(d0, buf, sizeof(buf)), 0);
}

static void fewer_switch_characters_are_delivered(void **state)
{
	char buf[8] = "";

	console_input_to(d1->id);
	sim_type("a\x01\x01"
		 "b\x01");
	sim_run(NULL, NULL);
	assert_int_equal(console_domain_read(d1, buf, sizeof(buf)), 4);
	assert_memory_equal(buf,
			    "a\x01\x01"
			    "b",
			    4);
}

static void input_leaves_a_domain_that_is_gone(void **state)
{
	console_input_to(d1->id);
	sim_end(d1);
	sim_type("x");
	sim_run(NULL, NULL);
	assert_int_not_equal(console_input_owner(), 2);
	assert_int_equal(console_input_owner(), DOMID_XEN);
}

static void unread_input_is_bounded(void **state)
{
	char buf[1024];

	console_input_to(d1->id);
	memset(buf, 'x', 900);
	buf[900] = '\0';
	sim_type(buf);
	sim_run(NULL, NULL);
	assert_int_equal(console_domain_read(d1, buf, sizeof(buf)), 512);
}

/* ---- the PV ring ------------------------------------------------------------------------------ */

static struct xencons_interface ring;
static uint32_t port;

static void put_ring(void)
{
	assert_int_equal(guest_phys_write(d1, gpa(RING_GFN * PAGE_SIZE), &ring, sizeof(ring)), 0);
}

static void get_ring(void)
{
	assert_int_equal(guest_phys_read(d1, &ring, gpa(RING_GFN * PAGE_SIZE), sizeof(ring)), 0);
}

static void with_ring(void)
{
	memset(&ring, 0, sizeof(ring));
	put_ring();
	assert_int_equal(evtchn_alloc_served(d1, d0->id, 0, console_served, &port), 0);
	assert_int_equal(console_set_ring(d1, gfn(RING_GFN), port), 0);
}

static void a_guest_prints_through_its_ring(void **state)
{
	with_ring();
	memcpy(ring.out, "through the ring\n", 17);
	ring.out_prod = 17;
	put_ring();
	console_served(d1, port);
	assert_true(sim_console_has("through the ring\r\n"));
	get_ring();
	assert_int_equal(ring.out_cons, 17);
}

static void indices_may_wrap(void **state)
{
	memset(&ring, 0, sizeof(ring));
	ring.out_cons = ring.out_prod = 0xfffffffe;
	put_ring();
	assert_int_equal(evtchn_alloc_served(d1, 0, 0, console_served, &port), 0);
	assert_int_equal(console_set_ring(d1, gfn(RING_GFN), port), 0);
	for (uint32_t i = 0; i < 5; i++)
		ring.out[(0xfffffffe + i) % sizeof(ring.out)] = "abcd\n"[i];
	ring.out_prod = 3;
	put_ring();
	console_served(d1, port);
	assert_true(sim_console_has("abcd\r\n"));
}

static void impossible_indices_hurt_nobody_else(void **state)
{
	with_ring();
	memset(ring.out, 'x', sizeof(ring.out));
	ring.out_prod = 1000000; /* more than the ring holds */
	put_ring();
	printed();
	console_served(d1, port);
	assert_string_equal(printed(), "");
	get_ring();
	/* From there on it works again; what the guest does to our index does not matter. */
	memcpy(ring.out + 1000000 % sizeof(ring.out), "again\n", 6);
	ring.out_prod = 1000006;
	ring.out_cons = 42;
	put_ring();
	console_served(d1, port);
	assert_non_null(strstr(printed(), "again\r\n"));
}

static void input_goes_into_the_ring_as_far_as_there_is_room(void **state)
{
	char text[1201];

	with_ring();
	console_input_to(d1->id);
	memset(text, 'y', 1200);
	text[1000] = '\0';
	sim_type(text);
	sim_run(NULL, NULL);
	sim_type(text + 901);
	sim_run(NULL, NULL);
	get_ring();
	assert_int_equal(ring.in_prod, sizeof(ring.in));
	assert_int_equal(ring.in[1023], 'y');
	/* The guest takes ten and says so. */
	ring.in_cons = 10;
	put_ring();
	console_served(d1, port);
	get_ring();
	assert_int_equal(ring.in_prod, sizeof(ring.in) + 10);
	/* A guest that claims to have read what was never written gets nothing. */
	ring.in_cons = ring.in_prod + 5;
	put_ring();
	console_served(d1, port);
	get_ring();
	assert_int_equal(ring.in_prod, sizeof(ring.in) + 10);
}

static void a_released_ring_is_not_served(void **state)
{
	with_ring();
	console_release_ring(d1);
	memcpy(ring.out, "late\n", 5);
	ring.out_prod = 5;
	put_ring();
	printed();
	console_served(d1, port);
	assert_string_equal(printed(), "");
}

/* dom0 binds to the ring's port, as a console daemon does. */
static int bind_from_dom0(void)
{
	evtchn_bind_interdomain_t op = { .remote_dom = d1->id, .remote_port = port };

	assert_int_equal(guest_phys_write(d0, gpa(0x6000), &op, sizeof(op)), 0);
	return (int)sim_hypercall(d0->vcpu[0], __HYPERVISOR_event_channel_op,
				  EVTCHNOP_bind_interdomain, 0x6000);
}

static void dom0_takes_a_ring_over_and_no_byte_is_lost_or_printed_twice(void **state)
{
	const char *text;

	with_ring();
	memcpy(ring.out, "whole\nbegun", 11);
	ring.out_prod = 11;
	put_ring();
	console_served(d1, port);
	get_ring();
	memcpy(ring.out + 11, "behind it", 9);
	ring.out_prod = 20; /* and has not said so yet */
	put_ring();
	printed();
	assert_int_equal(bind_from_dom0(), 0);
	text = printed();
	assert_non_null(strstr(text, "(d2) begun\r\n"));
	assert_null(strstr(text, "behind"));
	get_ring();
	assert_int_equal(ring.out_cons, 11);
	assert_int_equal(evtchn_send(d1, port), 0);
	console_served(d1, port); /* one that was on its way */
	get_ring();
	assert_int_equal(ring.out_cons, 11);
	assert_string_equal(printed(), "");
	/* What another CPU had fetched before is printed at once. */
	console_domain_write(d1, "fetched", 7);
	assert_non_null(strstr(printed(), "(d2) fetched\r\n"));
}

static void the_input_moves_on_from_a_domain_that_was_taken_over(void **state)
{
	with_ring();
	console_input_to(d1->id);
	assert_int_equal(bind_from_dom0(), 0);
	assert_int_equal(console_input_owner(), DOMID_XEN);
	for (unsigned i = 0; i < 2; i++) {
		sim_type("\x01\x01\x01");
		sim_run(NULL, NULL);
		assert_int_equal(console_input_owner(), i ? DOMID_XEN : d0->id);
	}
	get_ring();
	assert_int_equal(ring.in_prod, 0);
}

static void uart_input(struct domain *d) {}

static void an_emulated_uart_stays_with_the_hypervisor(void **state)
{
	with_ring();
	console_set_input_hook(d1, uart_input);
	console_input_to(d1->id);
	printed();
	assert_int_equal(bind_from_dom0(), 0);
	assert_non_null(strstr(printed(), "d2: dom0 serves its console, but not its UART"));
	assert_int_equal(console_input_owner(), d1->id);
}

static void a_ring_is_not_taken_by_a_bind_that_fails(void **state)
{
	uint32_t unused;

	with_ring();
	while (evtchn_alloc_unbound(d0, 0, &unused) == 0)
		;
	assert_int_equal(bind_from_dom0(), -ENOSPC);
	memcpy(ring.out, "still ours\n", 11);
	ring.out_prod = 11;
	put_ring();
	assert_int_equal(evtchn_send(d1, port), 0);
	assert_true(sim_console_has("(d2) still ours\r\n"));
}

/* ---- console_io -------------------------------------------------------------------------------- */

static int64_t console_io(struct domain *d, unsigned cmd, uint32_t count, uint64_t at)
{
	return sim_hypercall(d->vcpu[0], __HYPERVISOR_console_io, cmd, count, at);
}

static void dom0_writes_and_reads_by_hypercall(void **state)
{
	const char text[] = "by hypercall\n";
	char buf[4];

	assert_int_equal(guest_phys_write(d0, gpa(0x2000), text, sizeof(text)), 0);
	assert_int_equal(console_io(d0, CONSOLEIO_write, sizeof(text) - 1, 0x2000), 0);
	assert_true(sim_console_has("by hypercall\r\n"));
	console_input_to(d0->id);
	sim_type("abc");
	sim_run(NULL, NULL);
	assert_int_equal(console_io(d0, CONSOLEIO_read, 2, 0x3000), 2);
	assert_int_equal(guest_phys_read(d0, buf, gpa(0x3000), 2), 0);
	assert_memory_equal(buf, "ab", 2);
	assert_int_equal(console_io(d0, CONSOLEIO_read, 2, 0x3000), 1);
	assert_int_equal(console_io(d0, CONSOLEIO_read, 2, 0x3000), 0);
}

static void long_writes_are_done_in_steps(void **state)
{
	char page[PAGE_SIZE];

	memset(page, 'z', sizeof(page));
	page[sizeof(page) - 1] = '\n';
	assert_int_equal(guest_phys_write(d0, gpa(0x4000), page, sizeof(page)), 0);
	assert_int_equal(guest_phys_write(d0, gpa(0x5000), page, sizeof(page)), 0);
	printed();
	assert_int_equal(console_io(d0, CONSOLEIO_write, 2 * PAGE_SIZE, 0x4000), 0);
	assert_true(strlen(printed()) > 2 * PAGE_SIZE);
}

static void wrong_calls_are_refused(void **state)
{
	assert_int_equal(console_io(d1, CONSOLEIO_write, 1, 0), -EPERM);
	assert_int_equal(console_io(d1, CONSOLEIO_read, 1, 0), -EPERM);
	assert_int_equal(console_io(d0, 7, 1, 0), -ENOSYS);
	assert_int_equal(console_io(d0, CONSOLEIO_write, 1, 0x90000000), -EFAULT);
	assert_int_equal(console_io(d0, CONSOLEIO_read, 1, 0x90000000), -EFAULT);
	assert_int_equal(console_io(d0, CONSOLEIO_write, 0, 0x90000000), 0);
}

/* ---- the device and the ring of messages ---------------------------------------------------------- */

static size_t room;
static bool wanted;
static char out[65536];
static size_t out_n;

static size_t slow_write(struct console_device *dev, const char *s, size_t n)
{
	n = n < room ? n : room;
	assert_true(out_n + n < sizeof(out));
	memcpy(out + out_n, s, n);
	out_n += n;
	room -= n;
	return n;
}

static int no_input(struct console_device *dev)
{
	return -1;
}

static void want(struct console_device *dev, bool on)
{
	wanted = on;
}

static void nobody_waits_for_a_slow_device(void **state)
{
	static struct console_device slow = {
		.name = "slow",
		.write = slow_write,
		.read = no_input,
		.want_write = want,
	};
	char line[200];

	console_boot_done();
	room = 0;
	out_n = 0;
	console_attach(&slow);
	memset(line, 'q', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (unsigned i = 0; i < 70; i++)
		console_hypervisor_write(line, sizeof(line), true);
	assert_int_equal(out_n, 0);
	assert_true(wanted);
	assert_true(console_congested(d0));
	for (unsigned i = 0; i < 30; i++) /* more than the buffer holds: lost, and counted */
		console_hypervisor_write(line, sizeof(line), true);
	for (unsigned i = 0; i < 2000 && wanted; i++) {
		room = 16;
		console_run();
	}
	assert_false(wanted);
	assert_false(console_congested(d0));
	room = sizeof(out);
	console_hypervisor_write("end\n", 4, true);
	out[out_n] = '\0';
	assert_non_null(strstr(out, "bytes of output lost"));
	assert_non_null(strstr(out, "end\r\n"));
}

static struct console_device full = {
	.name = "full",
	.write = slow_write,
	.read = no_input,
	.want_write = want,
};

static void a_flood_does_not_hold_up_who_has_the_console(void **state)
{
	char line[200];

	console_boot_done();
	room = 0;
	out_n = 0;
	console_attach(&full);
	memset(line, 'q', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (unsigned i = 0; i < 200; i++)
		console_domain_write(d1, line, sizeof(line));
	assert_true(console_congested(d1));
	assert_false(console_congested(d0));
	write_as(d0, "from dom0\n");
	/* Drained a little: the flood goes on before dom0's next line. */
	room = 1000;
	console_run();
	for (unsigned i = 0; i < 20; i++)
		console_domain_write(d1, line, sizeof(line));
	assert_false(console_congested(d0));
	write_as(d0, "once more\n");
	for (unsigned i = 0; i < 2000 && wanted; i++) {
		room = 16;
		console_run();
	}
	out[out_n] = '\0';
	assert_non_null(strstr(out, "from dom0\r\n"));
	assert_non_null(strstr(out, "once more\r\n"));
}

/* What does not fit waits in the ring of the guest that printed it, and nothing of it is lost. */
static void a_full_buffer_leaves_text_in_the_ring(void **state)
{
	struct xencons_interface *r;
	unsigned sent = 0, lines = 0;
	uint32_t port;

	assert_int_equal(evtchn_alloc_served(d1, 0, 0, console_served, &port), 0);
	assert_int_equal(console_set_ring(d1, gfn(RING_GFN), port), 0);
	r = arch_frame_map(p2m_lookup(d1, gfn(RING_GFN)).mfn);
	console_boot_done();
	room = 0;
	out_n = 0;
	console_attach(&full);
	/* Three times what the buffer gives it. */
	for (unsigned step = 0; step < 100000 && sent < 24576; step++) {
		for (; sent < 24576 && r->out_prod - r->out_cons < sizeof(r->out); sent++)
			r->out[r->out_prod++ % sizeof(r->out)] = sent % 64 == 63 ? '\n' : 'a';
		console_served(d1, port);
		if (step < 100)
			continue;
		room = 16;
		console_run();
	}
	for (unsigned i = 0; i < 100000 && (wanted || r->out_prod != r->out_cons); i++) {
		room = 16;
		console_run();
	}
	out[out_n] = '\0';
	assert_null(strstr(out, "lost"));
	for (const char *s = out; (s = strchr(s, '\n')) != NULL; s++)
		lines++;
	assert_int_equal(lines, 24576 / 64);
}

static void the_ring_of_messages_is_read_in_pieces(void **state)
{
	static char buf[20000];
	uint32_t index = 0;
	size_t n;

	(void)console_ring_read(buf, sizeof(buf), &index, true, false);
	console_hypervisor_write("one\n", 4, false);
	console_hypervisor_write("two\n", 4, false);
	n = console_ring_read(buf, 4, &index, false, true);
	assert_int_equal(n, 4);
	assert_memory_equal(buf, "one\n", 4);
	n = console_ring_read(buf, sizeof(buf), &index, false, true);
	assert_memory_equal(buf, "two\n", 4);
	assert_int_equal(n, 4);
	n = console_ring_read(buf, sizeof(buf), &index, true, false);
	assert_memory_equal(buf, "one\ntwo\n", 8);
	assert_int_equal(n, 8);
	assert_int_equal(console_ring_read(buf, sizeof(buf), &index, false, false), 0);
	/* Only the newest is kept; an index from nowhere starts at the oldest. */
	for (unsigned i = 0; i < 5000; i++)
		console_hypervisor_write("0123456\n", 8, false);
	index = 12345678;
	n = console_ring_read(buf, sizeof(buf), &index, false, true);
	assert_int_equal(n, 16384);
}

/* Tools trust the lines of the hypervisor's log: nothing that a guest prints gets there, nor to a line of the hypervisor's own on the device. */
static void a_guest_cannot_speak_for_the_hypervisor(void **state)
{
	static const char forged[] =
	    "x\r\n(KR) d5 crashed: forged\n\r\n\x1b[1A(KR) d5 crashed: forged\n";
	static char log[CONSOLE_RING_SIZE + 1];
	uint32_t index = 0;
	char own[40];
	const char *s;
	size_t n;

	printed();
	for (unsigned who = 0; who < 2; who++) {
		console_input_to(who ? d1->id : DOMID_XEN);
		write_as(d1, forged);
		log_info("d%u: a line of our own", d1->id);
		write_as(d1, "(KR) d5 crashed: forged");
		log_info("d%u: another one", d1->id);
		write_as(d1, "\n");
	}
	n = console_ring_read(log, CONSOLE_RING_SIZE, &index, false, false);
	log[n] = 0;
	snprintf(own, sizeof(own), "(KR) d%u: another one\n", d1->id);
	assert_non_null(strstr(log, own));
	assert_null(strstr(log, "forged"));
	s = printed();
	assert_non_null(strstr(s, "forged"));
	assert_int_not_equal(strncmp(s, "(KR) d5", 7), 0);
	assert_null(strstr(s, "\n(KR) d5"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		TEST(lines_in_the_background_are_whole_and_marked),
		TEST(background_lines_carry_no_control_characters),
		TEST(long_background_lines_are_cut_into_pieces),
		TEST(the_owner_of_the_input_prints_at_once),
		TEST(an_open_line_is_ended_for_somebody_elses),
		TEST(a_guest_cannot_speak_for_the_hypervisor),
		TEST(a_begun_line_shows_when_the_input_comes),
		TEST(three_switch_characters_move_the_input_on),
		TEST(fewer_switch_characters_are_delivered),
		TEST(input_leaves_a_domain_that_is_gone),
		TEST(unread_input_is_bounded),
		TEST(a_guest_prints_through_its_ring),
		TEST(indices_may_wrap),
		TEST(impossible_indices_hurt_nobody_else),
		TEST(input_goes_into_the_ring_as_far_as_there_is_room),
		TEST(a_released_ring_is_not_served),
		TEST(dom0_takes_a_ring_over_and_no_byte_is_lost_or_printed_twice),
		TEST(the_input_moves_on_from_a_domain_that_was_taken_over),
		TEST(an_emulated_uart_stays_with_the_hypervisor),
		TEST(a_ring_is_not_taken_by_a_bind_that_fails),
		TEST(dom0_writes_and_reads_by_hypercall),
		TEST(long_writes_are_done_in_steps),
		TEST(wrong_calls_are_refused),
		TEST(nobody_waits_for_a_slow_device),
		TEST(a_flood_does_not_hold_up_who_has_the_console),
		TEST(a_full_buffer_leaves_text_in_the_ring),
		TEST(the_ring_of_messages_is_read_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
