/*
 * sender: posts to one HTTP endpoint that somebody configured, over http or https, on a uv loop.
 *
 * The one place that knows libcurl. It is careful with a peer that may be anyone: no redirects, no
 * proxy from the environment, no credentials, HTTP/1.1, certificates and names checked, bounds on
 * time and on what is read. An answer's body is dropped. Whether an address may be connected to is
 * asked when the socket is opened, about the very address that it will connect to, so a name that
 * resolves to something else at the second look (DNS rebinding) gains nothing. A sender has
 * connections of its own, which no sender with other permissions can reuse.
 *
 * The process must ignore SIGPIPE.
 */
#ifndef JIESU_HTTP_SENDER_H
#define JIESU_HTTP_SENDER_H

#include "engine/base/err.h"
#include "engine/base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct sender;

struct sender_options {
    const char *url;     /* http://... or https://...; copied */
    const char *ca_file; /* PEM file of the authorities trusted instead of the system's; or NULL */
    bool allow_private;  /* addresses that are not public may be connected to */
    uint32_t connect_ms, total_ms; /* zero takes the value of limits.h */
    size_t answer_max; /* bytes of an answer's head, and of its body, that are read; as above */
};

/* What became of a post. */
struct sender_answer {
    int status;             /* 0: no whole answer; problem says why */
    int64_t retry_after_ms; /* -1: none was given */
    const char *problem;    /* for people; valid during the callback */
    bool refused;           /* nothing was sent: every address of the host is one that may not be */
    uint64_t took_ns;
};

typedef void sender_done(void *ctx, const struct sender_answer *answer);

/* True when text is an absolute http or https URL with a host, without user, password and fragment:
 * what sender_new takes. */
bool sender_url_valid(struct span text);

struct sender *sender_new(uv_loop_t *loop, const struct sender_options *options, struct err *err);
/* Posts body. headers: lines "Name: value" without line ends. Both are copied. done is called once,
 * on the loop, never from inside this call. 0, or -1 and *err when memory is short. */
int sender_post(struct sender *sender, const struct span *headers, size_t header_count,
                struct span body, sender_done *done, void *ctx, struct err *err);
/* Posts not yet answered. */
size_t sender_pending(const struct sender *sender);
/* Breaks off what is under way (done is called, with status 0; it must not post again), closes, and
 * frees when the loop has let go. Not from inside done. Sets *sender to NULL. */
void sender_close(struct sender **sender);

#endif
