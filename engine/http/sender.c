/*
 * libcurl's multi interface on uv: curl says which sockets to watch (on_socket) and when it wants to
 * be called (on_timer); uv tells it what became ready. Finished posts are taken out of the multi handle
 * after each call into curl, and only then called back, so that a callback may post again.
 */
#include "engine/http/sender.h"

#include "engine/base/buf.h"
#include "engine/base/check.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/mem.h"
#include "engine/http/address.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

struct sender {
    struct sender_options options;
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    struct post *posts; /* all under way */
    size_t pending;
    size_t handles; /* of uv, that are not yet closed */
    bool closing;
    char *url, *ca_file;
};

/* One socket that curl wants watched. */
struct watch {
    uv_poll_t poll; /* first */
    struct sender *sender;
    curl_socket_t fd;
};

struct post {
    struct post *prev, *next;
    struct sender *sender;
    CURL *easy;
    struct curl_slist *headers;
    sender_done *done;
    void *ctx;
    uint64_t began_ns;
    size_t head_bytes, body_bytes;
    bool opened, refused; /* a socket was opened; one was refused */
    bool cut;             /* the body was longer than we care for */
    char problem[CURL_ERROR_SIZE];
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_started;

static void start_curl(void)
{
    curl_started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- what a peer sends ---- */

static size_t on_head(char *data, size_t size, size_t count, void *ctx)
{
    struct post *post = ctx;
    (void)data;
    post->head_bytes += size * count;
    return post->head_bytes > post->sender->options.answer_max ? 0 : size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct post *post = ctx;
    (void)data;
    post->body_bytes += size * count;
    post->cut = post->body_bytes > post->sender->options.answer_max;
    return post->cut ? 0 : size * count;
}

static curl_socket_t on_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct post *post = ctx;
    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (!post->sender->options.allow_private && !address_public(&address->addr)) {
        post->refused = true;
        return CURL_SOCKET_BAD;
    }
    post->opened = true;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- the end of a post ---- */

static void free_post(struct post *post)
{
    struct sender *sender = post->sender;
    if (post->prev != NULL)
        post->prev->next = post->next;
    else if (sender->posts == post)
        sender->posts = post->next;
    if (post->next != NULL)
        post->next->prev = post->prev;
    if (post->easy != NULL)
        curl_easy_cleanup(post->easy);
    curl_slist_free_all(post->headers);
    mem_free(post);
}

static void finish(struct sender *sender, CURL *easy, CURLcode code)
{
    struct post *post = NULL;
    long status = 0;
    curl_off_t after = 0;
    CHECK(curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&post) == CURLE_OK);
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &after);
    const bool whole = code == CURLE_OK || (code == CURLE_WRITE_ERROR && post->cut);
    struct sender_answer answer = {.status = whole ? (int)status : 0,
                                   .retry_after_ms = -1,
                                   .problem = "",
                                   .refused = post->refused && !post->opened,
                                   .took_ns = clock_steady_ns() - post->began_ns};
    if (whole && after > 0)
        answer.retry_after_ms = after > INT64_MAX / 1000 ? INT64_MAX : after * 1000;
    if (answer.refused)
        answer.problem = "its address is not a public one; allow_private permits it";
    else if (!whole)
        answer.problem = post->problem[0] != '\0' ? post->problem : curl_easy_strerror(code);
    CHECK(curl_multi_remove_handle(sender->multi, easy) == CURLM_OK);
    sender->pending--;
    post->done(post->ctx, &answer);
    free_post(post);
}

static void take_finished(struct sender *sender)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(sender->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE)
            finish(sender, message->easy_handle, message->data.result);
    }
}

/* ---- curl on the loop ---- */

static void act(struct sender *sender, curl_socket_t fd, int events)
{
    int running = 0;
    (void)curl_multi_socket_action(sender->multi, fd, events, &running);
    take_finished(sender);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = (struct watch *)(void *)poll;
    const int what = status < 0 ? CURL_CSELECT_ERR
                                : ((events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0) |
                                      ((events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0);
    act(watch->sender, watch->fd, what);
}

static void on_time(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void free_sender(struct sender *sender)
{
    if (sender->handles > 0 || !sender->closing)
        return;
    mem_free(sender->url);
    mem_free(sender->ca_file);
    mem_free(sender);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct watch *watch = (struct watch *)(void *)handle;
    struct sender *sender = watch->sender;
    mem_free(watch);
    sender->handles--;
    free_sender(sender);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct sender *sender = handle->data;
    sender->handles--;
    free_sender(sender);
}

static struct watch *new_watch(struct sender *sender, curl_socket_t fd)
{
    struct watch *watch = mem_zalloc(1, sizeof *watch);
    if (watch == NULL)
        return NULL;
    if (uv_poll_init_socket(sender->loop, &watch->poll, fd) < 0) {
        mem_free(watch);
        return NULL;
    }
    watch->sender = sender;
    watch->fd = fd;
    sender->handles++;
    return watch;
}

/* curl wants a socket watched, or no longer. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
    struct sender *sender = ctx;
    struct watch *watch = of_socket;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            (void)curl_multi_assign(sender->multi, fd, NULL);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = new_watch(sender, fd);
        if (watch == NULL)
            return 0; /* memory is short: the post ends by its time-out */
        (void)curl_multi_assign(sender->multi, fd, watch);
    }
    const int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                       ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    (void)uv_poll_start(&watch->poll, events, on_ready);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
    struct sender *sender = ctx;
    (void)multi;
    if (ms < 0)
        (void)uv_timer_stop(&sender->timer);
    else
        (void)uv_timer_start(&sender->timer, on_time, (uint64_t)ms, 0);
    return 0;
}

/* ---- a post ---- */

/* Every option is one that this libcurl knows, so an error is lack of memory. */
#define SET(option, value) (good = good && curl_easy_setopt(easy, option, value) == CURLE_OK)

static bool set_rules(CURL *easy, const struct sender *sender)
{
    const struct sender_options *o = &sender->options;
    bool good = true;
    SET(CURLOPT_URL, sender->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_UNRESTRICTED_AUTH, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a close does not wait for a resolver */
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)o->total_ms);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_USERAGENT, "jiesu/" JIESU_VERSION);
    if (sender->ca_file != NULL) {
        SET(CURLOPT_CAINFO, sender->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    return good;
}

static bool set_calls(CURL *easy, struct post *post)
{
    bool good = true;
    SET(CURLOPT_PRIVATE, (void *)post);
    SET(CURLOPT_ERRORBUFFER, post->problem);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(CURLOPT_OPENSOCKETDATA, (void *)post);
    SET(CURLOPT_HEADERFUNCTION, on_head);
    SET(CURLOPT_HEADERDATA, (void *)post);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)post);
    return good;
}

static bool set_content(CURL *easy, struct post *post, struct span body)
{
    bool good = true;
    SET(CURLOPT_HTTPHEADER, post->headers);
    SET(CURLOPT_POSTFIELDSIZE, (long)body.len);
    SET(CURLOPT_COPYPOSTFIELDS, body.len == 0 ? "" : body.ptr);
    return good;
}

static bool add_header(struct post *post, struct span line)
{
    char *text = mem_strndup(line.ptr, line.len);
    if (text == NULL)
        return false;
    struct curl_slist *more = curl_slist_append(post->headers, text);
    mem_free(text);
    if (more == NULL)
        return false;
    post->headers = more;
    return true;
}

static bool add_headers(struct post *post, const struct span *lines, size_t count)
{
    bool good = add_header(post, SPAN("Expect:"));
    for (size_t i = 0; good && i < count; i++)
        good = add_header(post, lines[i]);
    return good;
}

static struct post *new_post(struct sender *sender)
{
    struct post *post = mem_zalloc(1, sizeof *post);
    if (post == NULL)
        return NULL;
    post->sender = sender;
    post->began_ns = clock_steady_ns();
    post->next = sender->posts;
    if (post->next != NULL)
        post->next->prev = post;
    sender->posts = post;
    post->easy = curl_easy_init();
    return post;
}

int sender_post(struct sender *sender, const struct span *headers, size_t header_count,
                struct span body, sender_done *done, void *ctx, struct err *err)
{
    struct post *post = new_post(sender);
    if (post != NULL) {
        post->done = done;
        post->ctx = ctx;
        if (post->easy != NULL && add_headers(post, headers, header_count) &&
            set_rules(post->easy, sender) && set_calls(post->easy, post) &&
            set_content(post->easy, post, body) &&
            curl_multi_add_handle(sender->multi, post->easy) == CURLM_OK) {
            sender->pending++;
            return 0;
        }
        free_post(post);
    }
    return err_set(err, ERR_NOMEM, "out of memory for a delivery");
}

size_t sender_pending(const struct sender *sender)
{
    return sender->pending;
}

/* ---- beginning and end ---- */

bool sender_url_valid(struct span text)
{
    char *copy = NULL, *scheme = NULL, *host = NULL;
    bool good = false;
    if (text.len == 0 || text.len > LIMIT_HOOK_URL_BYTES || span_find_char(text, '\0') >= 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7F || text.ptr[i] == '\\')
            return false;
    }
    /* curl would take "http:///host" for "http://host". */
    const ptrdiff_t slashes = span_find(text, SPAN("://"));
    if (slashes < 0 || span_starts(span_sub(text, (size_t)slashes + 3, text.len), SPAN("/")))
        return false;
    copy = mem_strndup(text.ptr, text.len);
    CURLU *url = curl_url();
    if (copy != NULL && url != NULL && curl_url_set(url, CURLUPART_URL, copy, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
        char *other = NULL;
        good = strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
        static const CURLUPart none[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_FRAGMENT};
        for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
            good = good && curl_url_get(url, none[i], &other, 0) != CURLUE_OK;
            curl_free(other);
            other = NULL;
        }
    }
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(url);
    mem_free(copy);
    return good;
}

static bool open_multi(struct sender *sender)
{
    (void)pthread_once(&curl_once, start_curl);
    if (curl_started != CURLE_OK)
        return false;
    sender->multi = curl_multi_init();
    return sender->multi != NULL &&
           curl_multi_setopt(sender->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl_multi_setopt(sender->multi, CURLMOPT_SOCKETDATA, (void *)sender) == CURLM_OK &&
           curl_multi_setopt(sender->multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
           curl_multi_setopt(sender->multi, CURLMOPT_TIMERDATA, (void *)sender) == CURLM_OK &&
           curl_multi_setopt(sender->multi, CURLMOPT_MAXCONNECTS, (long)LIMIT_HOOK_IN_FLIGHT) ==
               CURLM_OK;
}

static bool copy_texts(struct sender *sender, const struct sender_options *options)
{
    sender->url = mem_strndup(options->url, strlen(options->url));
    if (options->ca_file != NULL)
        sender->ca_file = mem_strndup(options->ca_file, strlen(options->ca_file));
    return sender->url != NULL && (options->ca_file == NULL || sender->ca_file != NULL);
}

struct sender *sender_new(uv_loop_t *loop, const struct sender_options *options, struct err *err)
{
    struct sender *sender = mem_zalloc(1, sizeof *sender);
    if (sender != NULL) {
        sender->loop = loop;
        sender->options = *options;
        if (sender->options.connect_ms == 0)
            sender->options.connect_ms = LIMIT_HOOK_CONNECT_MS;
        if (sender->options.total_ms == 0)
            sender->options.total_ms = LIMIT_HOOK_TOTAL_MS;
        if (sender->options.answer_max == 0)
            sender->options.answer_max = LIMIT_HOOK_ANSWER_BYTES;
        CHECK(uv_timer_init(loop, &sender->timer) == 0);
        sender->timer.data = sender;
        sender->handles = 1;
        if (copy_texts(sender, options) && open_multi(sender))
            return sender;
        sender_close(&sender);
    }
    (void)err_set(err, ERR_NOMEM, "out of memory for a webhook endpoint");
    return NULL;
}

void sender_close(struct sender **senderp)
{
    struct sender *sender = *senderp;
    *senderp = NULL;
    if (sender == NULL)
        return;
    sender->closing = true;
    while (sender->posts != NULL) {
        struct post *post = sender->posts;
        const struct sender_answer answer = {.retry_after_ms = -1,
                                             .problem = "the sender was closed"};
        (void)curl_multi_remove_handle(sender->multi, post->easy);
        sender->pending--;
        post->done(post->ctx, &answer);
        free_post(post);
    }
    if (sender->multi != NULL)
        (void)curl_multi_cleanup(sender->multi);
    uv_close((uv_handle_t *)&sender->timer, on_timer_closed);
}
