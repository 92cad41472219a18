/* SPDX-License-Identifier: Apache-2.0 */
/* Network interfaces by rtnetlink(7): one message changes name, MTU, bridge and state; routed cards take a few more. */
#include "device_parts.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

unsigned if_nametoindex(const char *name); /* net/if.h does not go with linux/if.h */

/* Below the header: the fixed part of its type, then attributes. */
struct message {
	struct nlmsghdr header;
	char body[400];
};

static void begin(struct message *m, unsigned short type, unsigned short flags, const void *fixed,
		  size_t n)
{
	memset(m, 0, sizeof(*m));
	m->header.nlmsg_len = NLMSG_LENGTH(n);
	m->header.nlmsg_type = type;
	m->header.nlmsg_flags = (unsigned short)(NLM_F_REQUEST | NLM_F_ACK | flags);
	memcpy(NLMSG_DATA(&m->header), fixed, n);
}

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

/* Name (NULL: as it is), MTU (0: as it is), bridge (0: none), and up. */
static int change_link(unsigned index, const char *name, uint32_t mtu, unsigned master)
{
	const struct ifinfomsg link = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = (int)index,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};
	struct message m;

	begin(&m, RTM_NEWLINK, 0, &link, sizeof(link));
	/* A name can be changed only while it is down, which it is; it goes up last. */
	if (name)
		attribute(&m, IFLA_IFNAME, name, strlen(name) + 1);
	if (mtu)
		attribute(&m, IFLA_MTU, &mtu, sizeof(mtu));
	if (master)
		attribute(&m, IFLA_MASTER, &master, sizeof(master));
	return ask(&m);
}

static bool no_interface(const char *interface, struct fault *f)
{
	return fault_set(f, F_NO_INTERFACE, "%s: there is no such network interface", interface);
}

bool net_join(const char *interface, const char *name, const char *bridge, uint32_t mtu,
	      struct fault *f)
{
	unsigned index = if_nametoindex(interface), master = bridge ? if_nametoindex(bridge) : 0;
	int err;

	if (!index)
		return no_interface(interface, f);
	if (bridge && !master)
		return fault_set(f, F_NO_BRIDGE, "there is no bridge %s", bridge);
	if (!mtu && bridge)
		mtu = mtu_of(bridge);
	err = change_link(index, name, mtu, master);
	return err == 0 || fault_set(f, F_NO_BRIDGE, "%s cannot be added to %s: %s", interface,
				     bridge ? bridge : "the host", strerror(-err));
}

/* ---- routes ------------------------------------------------------------------------------------------ */

/* The first IPv4 address of an interface; false: it has none. */
static bool address_of(const char *interface, struct in_addr *to)
{
	struct ifreq r = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool ok;

	strncpy(r.ifr_name, interface, IFNAMSIZ - 1);
	ok = fd >= 0 && ioctl(fd, SIOCGIFADDR, &r) == 0;
	if (fd >= 0)
		close(fd);
	*to = ((struct sockaddr_in *)(void *)&r.ifr_addr)->sin_addr;
	return ok;
}

static int add_address(unsigned index, struct in_addr address)
{
	const struct ifaddrmsg fixed = {
		.ifa_family = AF_INET,
		.ifa_prefixlen = 32,
		.ifa_index = index,
	};
	struct message m;

	begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &fixed, sizeof(fixed));
	attribute(&m, IFA_LOCAL, &address, sizeof(address));
	attribute(&m, IFA_ADDRESS, &address, sizeof(address));
	return ask(&m);
}

/* "10.0.0.2", "10.1.0.0/16", "fd00::2": -EINVAL if it is none of them. */
static int add_route(unsigned index, const char *text, const struct in_addr *source)
{
	char copy[64], *slash;
	uint8_t to[16];
	struct rtmsg fixed = {
		.rtm_family = strchr(text, ':') ? AF_INET6 : AF_INET,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
	};
	const unsigned bits = fixed.rtm_family == AF_INET6 ? 128 : 32;
	unsigned long prefix = bits;
	struct message m;

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (slash) {
		*slash = 0;
		prefix = strtoul(slash + 1, NULL, 10);
	}
	if (prefix > bits || inet_pton(fixed.rtm_family, copy, to) != 1)
		return -EINVAL;
	fixed.rtm_dst_len = (unsigned char)prefix;
	begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &fixed, sizeof(fixed));
	attribute(&m, RTA_DST, to, bits / 8);
	attribute(&m, RTA_OIF, &index, sizeof(index));
	if (bits == 32)
		attribute(&m, RTA_PREFSRC, source, sizeof(*source));
	return ask(&m);
}

/* Others ask for the guest's address in `interface`'s network, and it for theirs. */
static int answer_arp(const char *interface)
{
	char path[80];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%.15s/proxy_arp", interface);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* Each of the addresses; *text is the one that failed. */
static int add_routes(unsigned index, const char *ips, const struct in_addr *source, char *text,
		      size_t room)
{
	int err = 0;

	while (!err && *(ips += strspn(ips, " "))) {
		size_t n = strcspn(ips, " ");

		snprintf(text, room, "%.*s", (int)n, ips);
		err = add_route(index, text, source);
		ips += n;
	}
	return err;
}

bool net_route(const char *interface, const char *name, const char *gateway, uint32_t mtu,
	       const char *ips, struct fault *f)
{
	unsigned index = if_nametoindex(interface);
	char text[64] = "its address";
	struct in_addr source;
	int err;

	if (!index)
		return no_interface(interface, f);
	if (!if_nametoindex(gateway))
		return no_interface(gateway, f);
	if (!address_of(gateway, &source))
		return fault_set(f, F_NO_ROUTE, "%s: %s has no IPv4 address to route with",
				 interface, gateway);
	err = change_link(index, name, mtu ? mtu : mtu_of(gateway), 0);
	if (!err)
		err = add_address(index, source);
	if (!err && ips)
		err = add_routes(index, ips, &source, text, sizeof(text));
	if (!err)
		err = answer_arp(name ? name : interface);
	if (!err)
		err = answer_arp(gateway);
	return err == 0 || fault_set(f, F_NO_ROUTE, "%s cannot be routed through %s: %s: %s",
				     interface, gateway, text, strerror(-err));
}
