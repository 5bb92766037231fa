/*
 * address: which addresses of the internet protocol belong to the public internet.
 */
#ifndef JIESU_HTTP_ADDRESS_H
#define JIESU_HTTP_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* False for every address that is not globally reachable: loopback, private, link-local, shared,
 * documentation, benchmarking, multicast, reserved (the special-purpose registries of IANA, RFC
 * 6890), for IPv6 addresses that carry such an IPv4 address, and for other families. */
bool address_public(const struct sockaddr *address);

#endif
