/* SPDX-License-Identifier: Apache-2.0 */
/* Network interfaces by rtnetlink(7): one message changes name, MTU, bridge and state. */
#include "device.h"
#include <errno.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

unsigned if_nametoindex(const char *name); /* net/if.h does not go with linux/if.h */

struct message {
	struct nlmsghdr header;
	struct ifinfomsg link;
	char attributes[256];
};

static void attribute(struct message *m, unsigned short type, const void *value, size_t n)
{
	struct rtattr *a = (struct rtattr *)(void *)((char *)m + NLMSG_ALIGN(m->header.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(n);
	memcpy(RTA_DATA(a), value, n);
	m->header.nlmsg_len = (unsigned)(NLMSG_ALIGN(m->header.nlmsg_len) + RTA_ALIGN(a->rta_len));
}

/* Send it and wait for the kernel's answer: 0 or a negative errno value. */
static int ask(struct message *m)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char more[512];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	m->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (send(fd, m, m->header.nlmsg_len, 0) < 0)
		err = -errno;
	n = err ? 0 : recv(fd, &answer, sizeof(answer), 0);
	if (n < 0)
		err = -errno;
	else if (!err && (n < (ssize_t)offsetof(__typeof__(answer), more) ||
			  answer.header.nlmsg_type != NLMSG_ERROR))
		err = -EPROTO;
	else if (!err)
		err = answer.error.error;
	close(fd);
	return err;
}

/* 0: it does not say. */
static uint32_t mtu_of(const char *interface)
{
	char path[80], text[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/net/%.15s/mtu", interface);
	file = fopen(path, "r");
	if (file) {
		if (!fgets(text, sizeof(text), file))
			text[0] = 0;
		fclose(file);
	}
	return (uint32_t)strtoul(text, NULL, 10);
}

bool net_join(const char *interface, const char *name, const char *bridge, uint32_t mtu,
	      struct fault *f)
{
	unsigned index = if_nametoindex(interface), master = bridge ? if_nametoindex(bridge) : 0;
	struct message m = {
		.header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			    .nlmsg_type = RTM_NEWLINK },
		.link = { .ifi_family = AF_UNSPEC, .ifi_index = (int)index },
	};
	int err;

	if (!index)
		return fault_set(f, F_NO_INTERFACE, "%s: there is no such network interface",
				 interface);
	if (bridge && !master)
		return fault_set(f, F_NO_BRIDGE, "there is no bridge %s", bridge);
	if (!mtu && bridge)
		mtu = mtu_of(bridge);
	/* A name can be changed only while it is down, which it is; it goes up last. */
	if (name)
		attribute(&m, IFLA_IFNAME, name, strlen(name) + 1);
	if (mtu)
		attribute(&m, IFLA_MTU, &mtu, sizeof(mtu));
	if (master)
		attribute(&m, IFLA_MASTER, &master, sizeof(master));
	m.link.ifi_flags = m.link.ifi_change = IFF_UP;
	err = ask(&m);
	return err == 0 || fault_set(f, F_NO_BRIDGE, "%s cannot be added to %s: %s", interface,
				     bridge ? bridge : "the host", strerror(-err));
}
