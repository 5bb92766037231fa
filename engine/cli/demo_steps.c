#include "engine/cli/demo_steps.h"

#include "engine/base/mem.h"
#include "engine/base/random.h"
#include "engine/http/client.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { CLIENTS = 64, ANSWER_MS = 10000, RETRY_MS = 100, PATH_BYTES = 160, HEADERS_BYTES = 160 };

/* One request, until it is answered for good. */
struct request {
    struct demo_steps *steps;
    struct request *next, **link; /* in the list of those that are open */
    uv_timer_t again;
    demo_steps_done *done;
    void *ctx;
    size_t serial;
    bool is_post, closing;
    char path[PATH_BYTES];
    size_t body_len;
    char body[];
};

struct demo_steps {
    uv_loop_t *loop;
    struct http_client *clients[CLIENTS];
    struct request *open;
    size_t count; /* requests that are not freed */
    size_t pending, serial;
    uint64_t run; /* tells this run's keys from others' */
    bool closing;
};

static void send_request(struct request *r);

static void free_if_over(struct demo_steps *steps)
{
    if (steps->closing && steps->count == 0)
        mem_free(steps);
}

static void on_closed(uv_handle_t *handle)
{
    struct request *r = handle->data;
    struct demo_steps *steps = r->steps;
    mem_free(r);
    steps->count--;
    free_if_over(steps);
}

static void end_request(struct request *r)
{
    if (r->closing)
        return;
    r->closing = true;
    *r->link = r->next;
    if (r->next != NULL)
        r->next->link = r->link;
    r->steps->pending--;
    uv_close((uv_handle_t *)&r->again, on_closed);
}

static void on_again(uv_timer_t *timer)
{
    send_request(timer->data);
}

static void retry(struct request *r)
{
    (void)uv_timer_start(&r->again, on_again, RETRY_MS, 0);
}

/* 409 is the engine's word when it says why; else the same key is still in progress. 202 says that a
 * step will be tried: asked again with its key, the engine tells what came of it. */
static bool is_final(const struct http_response *response)
{
    static const char why[] = "\"reason\"";
    if (response->status == 409)
        return memmem(response->body.ptr, response->body.len, why, sizeof why - 1) != NULL;
    return response->status != 0 && response->status != 202 && response->status != 503;
}

static void on_response(void *ctx, const struct http_response *response)
{
    struct request *r = ctx;
    if (r->closing)
        return;
    if (!is_final(response)) {
        retry(r);
        return;
    }
    r->done(r->ctx, response->status, response->body);
    end_request(r);
}

static void send_request(struct request *r)
{
    char headers[HEADERS_BYTES] = "";
    int len = 0;
    if (r->is_post)
        len = snprintf(headers, sizeof headers,
                       "Content-Type: application/json\r\nIdempotency-Key: demo-%016llx-s%zu\r\n",
                       (unsigned long long)r->steps->run, r->serial);
    if (http_client_send(r->steps->clients[r->serial % CLIENTS], r->is_post ? "POST" : "GET",
                         r->path, span_of(headers, (size_t)len), span_of(r->body, r->body_len),
                         on_response, r) < 0)
        retry(r);
}

static int start(struct demo_steps *steps, bool is_post, const char *path, struct span body,
                 demo_steps_done *done, void *ctx)
{
    struct request *r = mem_zalloc(1, sizeof *r + body.len);
    if (r == NULL || strlen(path) >= sizeof r->path) {
        mem_free(r);
        return -1;
    }
    r->steps = steps;
    r->done = done;
    r->ctx = ctx;
    r->serial = steps->serial++;
    r->is_post = is_post;
    r->body_len = body.len;
    memcpy(r->path, path, strlen(path) + 1);
    if (body.len > 0)
        memcpy(r->body, body.ptr, body.len);
    (void)uv_timer_init(steps->loop, &r->again);
    r->again.data = r;
    r->next = steps->open;
    r->link = &steps->open;
    if (r->next != NULL)
        r->next->link = &r->next;
    steps->open = r;
    steps->count++;
    steps->pending++;
    send_request(r);
    return 0;
}

int demo_steps_post(struct demo_steps *steps, const char *path, struct span body,
                    demo_steps_done *done, void *ctx)
{
    return start(steps, true, path, body, done, ctx);
}

int demo_steps_get(struct demo_steps *steps, const char *path, demo_steps_done *done, void *ctx)
{
    return start(steps, false, path, span_of("", 0), done, ctx);
}

size_t demo_steps_pending(const struct demo_steps *steps)
{
    return steps->pending;
}

struct demo_steps *demo_steps_new(uv_loop_t *loop, const char *host, int port, struct err *err)
{
    struct demo_steps *steps = mem_zalloc(1, sizeof *steps);
    bool whole = steps != NULL;
    for (size_t i = 0; whole && i < CLIENTS; i++) {
        steps->clients[i] = http_client_new(loop, host, port, ANSWER_MS);
        whole = steps->clients[i] != NULL;
    }
    if (!whole) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        demo_steps_close(&steps);
        return NULL;
    }
    steps->loop = loop;
    random_bytes(&steps->run, sizeof steps->run);
    return steps;
}

void demo_steps_close(struct demo_steps **stepsp)
{
    struct demo_steps *steps = *stepsp;
    *stepsp = NULL;
    if (steps == NULL)
        return;
    steps->closing = true;
    while (steps->open != NULL)
        end_request(steps->open);
    for (size_t i = 0; i < CLIENTS; i++) {
        if (steps->clients[i] != NULL)
            http_client_close(&steps->clients[i]);
    }
    free_if_over(steps);
}
