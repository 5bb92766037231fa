/*
 * The tables are IANA's special-purpose address registries (RFC 6890 and its updates, as of 2025), without the
 * few anycast services in them that no webhook endpoint is. Of IPv6 only 2000::/3 is handed out at all,
 * so the rest needs no rows, but for 64:ff9b::/96 (RFC 6052), which carries an IPv4 address.
 */
#include "engine/http/address.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static bool v4_public(uint32_t address)
{
    static const struct {
        uint32_t net;
        int bits;
    } special[] = {
        {0x00000000, 8},  /* this network */
        {0x0A000000, 8},  /* private */
        {0x64400000, 10}, /* shared (carrier-grade NAT) */
        {0x7F000000, 8},  /* loopback */
        {0xA9FE0000, 16}, /* link-local, and the metadata services of clouds */
        {0xAC100000, 12}, /* private */
        {0xC0000000, 24}, /* protocol assignments */
        {0xC0000200, 24}, /* documentation */
        {0xC0586300, 24}, /* 6to4 relays, given up */
        {0xC0A80000, 16}, /* private */
        {0xC6120000, 15}, /* benchmarking */
        {0xC6336400, 24}, /* documentation */
        {0xCB007100, 24}, /* documentation */
        {0xE0000000, 4},  /* multicast */
        {0xF0000000, 4},  /* reserved, and broadcast */
    };
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if ((address ^ special[i].net) >> (32 - special[i].bits) == 0)
            return false;
    }
    return true;
}

static bool has_prefix(const uint8_t *bytes, const uint8_t *prefix, int bits)
{
    const size_t whole = (size_t)bits / 8;
    if (memcmp(bytes, prefix, whole) != 0)
        return false;
    const int rest = bits % 8;
    return rest == 0 || (bytes[whole] ^ prefix[whole]) >> (8 - rest) == 0;
}

static uint32_t v4_inside(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool v6_public(const uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    static const uint8_t translated[12] = {0x00, 0x64, 0xFF, 0x9B};
    static const uint8_t global[1] = {0x20};
    static const struct {
        uint8_t net[4];
        int bits;
    } special[] = {
        {{0x20, 0x01, 0x00, 0x00}, 23}, /* protocol assignments, Teredo */
        {{0x20, 0x01, 0x0D, 0xB8}, 32}, /* documentation */
        {{0x20, 0x02, 0x00, 0x00}, 16}, /* 6to4 */
        {{0x3F, 0xFF, 0x00, 0x00}, 20}, /* documentation */
    };
    if (has_prefix(bytes, mapped, 96) || has_prefix(bytes, translated, 96))
        return v4_public(v4_inside(bytes + 12));
    if (!has_prefix(bytes, global, 3))
        return false;
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (has_prefix(bytes, special[i].net, special[i].bits))
            return false;
    }
    return true;
}

bool address_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return v4_public(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return v6_public(in6.sin6_addr.s6_addr);
    }
    return false;
}
