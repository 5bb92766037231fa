#include "engine/store/redis_link.h"

#include <string.h>
#include <sys/un.h>

enum { DEFAULT_PORT = 6379, MAX_DB = 1000000 };

static int copy_text(struct span text, char *out, size_t size, const char *what, struct err *err)
{
    if (text.len == 0)
        return err_set(err, ERR_CONFIG, "Redis address: the %s is missing", what);
    if (text.len >= size || memchr(text.ptr, '\0', text.len) != NULL)
        return err_set(err, ERR_CONFIG,
                       "Redis address: the %s is longer than %zu bytes or holds a NUL", what,
                       size - 1);
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return 0;
}

static int parse_unix(struct span path, struct redis_target *target, struct err *err)
{
    target->unix_socket = true;
    target->count = 1;
    return copy_text(path, target->host[0], sizeof(((struct sockaddr_un *)0)->sun_path),
                     "path of the unix socket", err);
}

static int parse_port(struct span text, int *port, struct err *err)
{
    uint64_t value;
    if (span_to_u64(text, 65535, &value) != 0 || value == 0)
        return err_set(err, ERR_CONFIG, "Redis address: \"%.*s\" is not a port from 1 to 65535",
                       SPAN_ARG(text));
    *port = (int)value;
    return 0;
}

/* host, host:port, [v6], [v6]:port; adds a seed. */
static int parse_host(struct span text, bool port_needed, struct redis_target *target,
                      struct err *err)
{
    struct span host = text, port = {0};
    ptrdiff_t close = span_find_char(text, ']');
    ptrdiff_t colon = span_find_char(text, ':');
    bool bracket = text.len > 0 && text.ptr[0] == '[';
    if (bracket && close < 0)
        return err_set(err, ERR_CONFIG, "Redis address: \"[\" without \"]\"");
    if (bracket) {
        host = span_sub(text, 1, (size_t)close);
        port = span_sub(text, (size_t)close + 1, text.len);
        colon = port.len > 0 ? 0 : -1;
        if (port.len > 0 && port.ptr[0] != ':')
            return err_set(err, ERR_CONFIG, "Redis address: \"]\" must be followed by \":port\"");
    } else if (colon >= 0) {
        host = span_sub(text, 0, (size_t)colon);
        port = span_sub(text, (size_t)colon, text.len);
    }
    if (target->count == REDIS_SEEDS)
        return err_set(err, ERR_CONFIG, "Redis address: more than %d hosts", REDIS_SEEDS);
    if (colon < 0 && port_needed)
        return err_set(err, ERR_CONFIG,
                       "Redis address: \"%.*s\" is not host:port, redis://host or unix:PATH",
                       SPAN_ARG(text));
    int *number = &target->port[target->count];
    *number = DEFAULT_PORT;
    if (colon >= 0 && parse_port(span_sub(port, 1, port.len), number, err) != 0)
        return -1;
    return copy_text(host, target->host[target->count++], REDIS_HOST_BYTES, "host", err);
}

static int parse_url(struct span rest, struct redis_target *target, struct err *err)
{
    struct span place = span_cut(&rest, '/');
    ptrdiff_t at = span_find_char(place, '@');
    if (at >= 0) {
        struct span user = span_sub(place, 0, (size_t)at);
        /* The text is not repeated: it may hold a password. */
        if (span_find_char(user, ':') >= 0)
            return err_set(err, ERR_CONFIG,
                           "Redis address: a password must come from a file (redis-password-file), "
                           "not from the address");
        if (copy_text(user, target->user, sizeof(target->user), "user", err) != 0)
            return -1;
        place = span_sub(place, (size_t)at + 1, place.len);
    }
    uint64_t db = 0;
    if (rest.len > 0 && span_to_u64(rest, MAX_DB, &db) != 0)
        return err_set(err, ERR_CONFIG, "Redis address: \"/%.*s\" is not the number of a database",
                       SPAN_ARG(rest));
    target->db = (int)db;
    return parse_host(place, false, target, err);
}

int redis_target_parse(struct span text, struct redis_target *target, struct err *err)
{
    memset(target, 0, sizeof(*target));
    text = span_trim(text);
    if (span_starts(text, SPAN("unix:")))
        return parse_unix(span_sub(text, 5, text.len), target, err);
    if (span_starts(text, SPAN("redis://")))
        return parse_url(span_sub(text, 8, text.len), target, err);
    if (span_find_char(text, '@') >= 0)
        return err_set(err, ERR_CONFIG,
                       "Redis address: a user goes into redis://user@host, a password into a file");
    target->cluster = span_find_char(text, ',') >= 0;
    do {
        if (parse_host(span_trim(span_cut(&text, ',')), true, target, err) != 0)
            return -1;
    } while (text.ptr != NULL);
    return 0;
}

struct redis_endpoint redis_target_endpoint(const struct redis_target *target, size_t i)
{
    struct redis_endpoint endpoint = {.unix_socket = target->unix_socket, .port = target->port[i]};
    memcpy(endpoint.host, target->host[i], sizeof(endpoint.host));
    return endpoint;
}
