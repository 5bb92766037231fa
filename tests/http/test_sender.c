/* The sender against a receiver that behaves in every way: status, redirect, slow, silent, endless, gone; and
 * what it refuses to connect to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/http/sender.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_BYTES = 65536 };

/* A receiver on a thread of its own; it answers every request with the same bytes. */
struct receiver {
    int fd, port;
    pthread_t thread;
    const char *answer; /* NULL: none, the connection is closed */
    int hold_ms;        /* before the answer */
    size_t endless;     /* this many bytes more, after the answer */
    atomic_int connections, requests;
    char request[REQUEST_BYTES]; /* the last one */
};

static size_t body_length(const char *request)
{
    const char *at = strcasestr(request, "content-length:");
    return at == NULL ? 0 : (size_t)strtoul(at + 15, NULL, 10);
}

/* One request into r->request; false when the peer closed. */
static bool read_request(struct receiver *r, int fd)
{
    static _Thread_local char text[REQUEST_BYTES];
    size_t len = 0;
    for (;;) {
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        if (end != NULL && len >= (size_t)(end + 4 - text) + body_length(text)) {
            memcpy(r->request, text, len + 1);
            return true;
        }
        const ssize_t n = recv(fd, text + len, sizeof text - 1 - len, 0);
        if (n <= 0)
            return false;
        len += (size_t)n;
    }
}

static void answer(const struct receiver *r, int fd)
{
    static const char filler[4096] = {0};
    if (r->hold_ms > 0) /* what is tested is time that passes */
        usleep((useconds_t)r->hold_ms * 1000);
    (void)send(fd, r->answer, strlen(r->answer), MSG_NOSIGNAL);
    for (size_t sent = 0; sent < r->endless; sent += sizeof filler) {
        if (send(fd, filler, sizeof filler, MSG_NOSIGNAL) <= 0)
            return;
    }
}

static void *receive(void *ctx)
{
    struct receiver *r = ctx;
    for (;;) {
        const int fd = accept(r->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        atomic_fetch_add(&r->connections, 1);
        while (read_request(r, fd)) {
            atomic_fetch_add(&r->requests, 1);
            if (r->answer == NULL)
                break;
            answer(r, fd);
        }
        (void)close(fd);
    }
}

static void listen_on(struct receiver *r)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(r->fd, 16), 0);
    assert_int_equal(getsockname(r->fd, (struct sockaddr *)&address, &len), 0);
    r->port = ntohs(address.sin_port);
}

static void receiver_start(struct receiver *r, const char *text)
{
    listen_on(r);
    r->answer = text;
    assert_int_equal(pthread_create(&r->thread, NULL, receive, r), 0);
}

static void receiver_stop(struct receiver *r)
{
    (void)shutdown(r->fd, SHUT_RDWR);
    assert_int_equal(pthread_join(r->thread, NULL), 0);
    (void)close(r->fd);
}

/* ---- the sender's side ---- */

struct bench {
    uv_loop_t loop;
    struct sender *sender;
    int answers;
    struct sender_answer last;
    char problem[256];
    int more; /* posts to be made from inside done */
};

static void post(struct bench *b, const char *text);

static void on_answer(void *ctx, const struct sender_answer *a)
{
    struct bench *b = ctx;
    b->answers++;
    b->last = *a;
    snprintf(b->problem, sizeof b->problem, "%s", a->problem);
    if (b->more > 0) {
        b->more--;
        post(b, "again");
    }
}

static void post(struct bench *b, const char *text)
{
    const struct span headers[] = {SPAN("Content-Type: application/json"), SPAN("X-One: 1")};
    assert_int_equal(sender_post(b->sender, headers, 2, span_str(text), on_answer, b, NULL), 0);
}

static void bench_open(struct bench *b, const char *url, const struct sender_options *with)
{
    struct sender_options options = *with;
    memset(b, 0, sizeof *b);
    assert_int_equal(uv_loop_init(&b->loop), 0);
    options.url = url;
    assert_true(sender_url_valid(span_str(url)));
    b->sender = sender_new(&b->loop, &options, NULL);
    assert_non_null(b->sender);
}

static void bench_await(struct bench *b, int answers)
{
    const int64_t until = clock_steady_ms() + 10000;
    while (b->answers < answers) {
        assert_true(clock_steady_ms() < until);
        (void)uv_run(&b->loop, UV_RUN_ONCE);
    }
}

static void bench_close(struct bench *b)
{
    sender_close(&b->sender);
    assert_null(b->sender);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&b->loop), 0);
}

/* Posts once to a receiver that answers so, and closes. */
static void try_once(struct bench *b, struct receiver *r, const char *text,
                     const struct sender_options *options)
{
    char url[64];
    receiver_start(r, text);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/hook?x=1", r->port);
    bench_open(b, url, options);
    post(b, "{\"a\":1}");
    bench_await(b, 1);
    bench_close(b);
    receiver_stop(r);
}

static const struct sender_options usual = {.allow_private = true, .total_ms = 2000};

static void it_posts(void **state)
{
    (void)state;
    static struct receiver r;
    struct bench b;
    try_once(&b, &r, "HTTP/1.1 204 No Content\r\n\r\n", &usual);
    assert_int_equal(b.last.status, 204);
    assert_true(b.last.retry_after_ms == -1);
    assert_memory_equal(r.request, "POST /hook?x=1 HTTP/1.1\r\n", 25);
    assert_non_null(strstr(r.request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(r.request, "\r\nX-One: 1\r\n"));
    assert_null(strcasestr(r.request, "\r\nexpect:"));
    assert_string_equal(strstr(r.request, "\r\n\r\n") + 4, "{\"a\":1}");
}

static void a_connection_is_used_again(void **state)
{
    (void)state;
    static struct receiver r;
    struct bench b;
    char url[64];
    receiver_start(&r, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", r.port);
    bench_open(&b, url, &usual);
    b.more = 20;
    post(&b, "first");
    bench_await(&b, 21);
    assert_int_equal(b.last.status, 200);
    bench_close(&b);
    receiver_stop(&r);
    assert_int_equal(r.requests, 21);
    assert_int_equal(r.connections, 1);
}

static void redirects_are_answers(void **state)
{
    (void)state;
    static struct receiver r;
    struct bench b;
    try_once(&b, &r,
             "HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
             &usual);
    assert_int_equal(b.last.status, 307);
    assert_int_equal(r.requests, 1);
}

static void retry_after(void **state)
{
    (void)state;
    static struct receiver r;
    struct bench b;
    try_once(&b, &r, "HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", &usual);
    assert_int_equal(b.last.status, 503);
    assert_true(b.last.retry_after_ms == 7000);
    try_once(&b, &r,
             "HTTP/1.1 429 No\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n",
             &usual);
    assert_int_equal(b.last.status, 429);
    try_once(&b, &r, "HTTP/1.1 503 No\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", &usual);
    assert_true(b.last.retry_after_ms == -1);
}

static void no_answer(void **state)
{
    (void)state;
    static struct receiver r;
    struct bench b;
    try_once(&b, &r, NULL, &usual);
    assert_int_equal(b.last.status, 0);
    assert_false(b.last.refused);
    assert_true(b.problem[0] != '\0');
    /* Half a head, and half a body. */
    struct sender_options short_time = usual;
    short_time.total_ms = 100;
    try_once(&b, &r, "HTTP/1.1 200 OK\r\nConte", &short_time);
    assert_int_equal(b.last.status, 0);
    try_once(&b, &r, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", &short_time);
    assert_int_equal(b.last.status, 0);
    /* Not HTTP. */
    try_once(&b, &r, "220 smtp\r\n", &short_time);
    assert_int_equal(b.last.status, 0);
}

static void a_slow_one(void **state)
{
    (void)state;
    static struct receiver r = {.hold_ms = 300};
    struct bench b;
    struct sender_options options = usual;
    options.total_ms = 100;
    try_once(&b, &r, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &options);
    assert_int_equal(b.last.status, 0);
    assert_true(b.last.took_ns >= 90000000);
    try_once(&b, &r, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", &usual);
    assert_int_equal(b.last.status, 200);
}

static void nobody_there(void **state)
{
    (void)state;
    static struct receiver r;
    struct bench b;
    char url[64];
    receiver_start(&r, NULL);
    receiver_stop(&r);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", r.port);
    bench_open(&b, url, &usual);
    post(&b, "x");
    bench_await(&b, 1);
    bench_close(&b);
    assert_int_equal(b.last.status, 0);
    assert_false(b.last.refused);
}

/* A body without end is cut, and its status counts; a head without end is no answer. */
static void answers_without_end(void **state)
{
    (void)state;
    static struct receiver r = {.endless = 64u * 1024 * 1024};
    struct bench b;
    struct sender_options options = usual;
    options.answer_max = 20000;
    try_once(&b, &r, "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", &options);
    assert_int_equal(b.last.status, 200);
    static char head[40000];
    size_t len = (size_t)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n");
    while (len < sizeof head - 100)
        len += (size_t)snprintf(head + len, sizeof head - len, "X-%zu: %060d\r\n", len, 1);
    r.endless = 0;
    try_once(&b, &r, head, &options);
    assert_int_equal(b.last.status, 0);
}

/* The address is judged at the connect, whatever the name is. */
static void private_addresses_are_refused(void **state)
{
    (void)state;
    static struct receiver r;
    static const char *const hosts[] = {"127.0.0.1", "localhost", "2130706433",
                                        "0x7f.1",    "[::1]",     "[::ffff:127.0.0.1]"};
    struct bench b;
    receiver_start(&r, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const struct sender_options strict = {.total_ms = 2000};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char url[64];
        snprintf(url, sizeof url, "http://%s:%d/", hosts[i], r.port);
        bench_open(&b, url, &strict);
        post(&b, "x");
        bench_await(&b, 1);
        bench_close(&b);
        assert_int_equal(b.last.status, 0);
        if (!b.last.refused)
            fail_msg("%s: %s", hosts[i], b.problem);
        assert_non_null(strstr(b.problem, "not a public one"));
    }
    assert_int_equal(r.connections, 0);
    receiver_stop(&r);
    /* One of each kind without a receiver: nothing is sent, so it ends at once. */
    static const char *const others[] = {"http://10.0.0.1/", "https://192.168.1.1/",
                                         "http://169.254.169.254/latest", "http://[fe80::1]/"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        bench_open(&b, others[i], &strict);
        post(&b, "x");
        bench_await(&b, 1);
        bench_close(&b);
        assert_true(b.last.refused);
    }
}

/* A proxy of the environment would see everything, and connect for us to anywhere. */
static void the_environment_is_ignored(void **state)
{
    (void)state;
    static struct receiver r, proxy;
    struct bench b;
    char text[64];
    receiver_start(&proxy, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    snprintf(text, sizeof text, "http://127.0.0.1:%d", proxy.port);
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(setenv(names[i], text, 1), 0);
    try_once(&b, &r, "HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n", &usual);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(unsetenv(names[i]), 0);
    assert_int_equal(b.last.status, 201);
    assert_int_equal(proxy.connections, 0);
    receiver_stop(&proxy);
}

/* A close in the middle: everyone is told, and nothing is left. */
static void closed_under_way(void **state)
{
    (void)state;
    static struct receiver r = {.hold_ms = 50};
    struct bench b;
    char url[64];
    receiver_start(&r, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", r.port);
    bench_open(&b, url, &usual);
    for (int i = 0; i < 10; i++)
        post(&b, "x");
    assert_int_equal(sender_pending(b.sender), 10);
    for (int i = 0; i < 5; i++)
        (void)uv_run(&b.loop, UV_RUN_NOWAIT);
    bench_close(&b);
    assert_int_equal(b.answers, 10);
    assert_int_equal(b.last.status, 0);
    receiver_stop(&r);
}

/* ---- https ---- */

/* A key, and a certificate for "localhost" that it signs itself, written to a file. */
static X509 *make_certificate(EVP_PKEY *key, const char *path)
{
    X509 *cert = X509_new();
    assert_non_null(cert);
    X509_NAME *name = X509_get_subject_name(cert);
    assert_int_equal(X509_set_version(cert, 2), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(cert), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(cert), -60));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(cert), 3600));
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"localhost", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(cert, name), 1);
    assert_int_equal(X509_set_pubkey(cert, key), 1);
    X509_EXTENSION *hosts = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost");
    assert_non_null(hosts);
    assert_int_equal(X509_add_ext(cert, hosts, -1), 1);
    X509_EXTENSION_free(hosts);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, cert), 1);
    assert_int_equal(fclose(file), 0);
    return cert;
}

struct tls_receiver {
    int fd, port;
    pthread_t thread;
    SSL_CTX *tls;
    atomic_int requests;
};

static void *receive_tls(void *ctx)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct tls_receiver *r = ctx;
    for (;;) {
        const int fd = accept(r->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        SSL *ssl = SSL_new(r->tls);
        char request[4096];
        (void)SSL_set_fd(ssl, fd);
        if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof request) > 0) {
            atomic_fetch_add(&r->requests, 1);
            (void)SSL_write(ssl, text, sizeof text - 1);
        }
        SSL_free(ssl);
        (void)close(fd);
    }
}

static int post_once(const char *host, int port, const struct sender_options *options)
{
    struct bench b;
    char url[64];
    (void)snprintf(url, sizeof url, "https://%s:%d/", host, port);
    bench_open(&b, url, options);
    post(&b, "x");
    bench_await(&b, 1);
    bench_close(&b);
    return b.last.status;
}

/* Only who is known, and only under the name that was asked for. */
static void certificates_are_checked(void **state)
{
    (void)state;
    char path[] = "/tmp/jiesu-sender-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0 && close(file) == 0);
    struct receiver plain;
    struct tls_receiver r = {.tls = SSL_CTX_new(TLS_server_method())};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = make_certificate(key, path);
    assert_int_equal(SSL_CTX_use_certificate(r.tls, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(r.tls, key), 1);
    listen_on(&plain);
    r.fd = plain.fd;
    r.port = plain.port;
    assert_int_equal(pthread_create(&r.thread, NULL, receive_tls, &r), 0);
    struct sender_options options = usual;
    assert_int_equal(post_once("localhost", r.port, &options), 0);
    options.ca_file = path;
    assert_int_equal(post_once("127.0.0.1", r.port, &options), 0);
    assert_int_equal(atomic_load(&r.requests), 0);
    assert_int_equal(post_once("localhost", r.port, &options), 200);
    assert_int_equal(atomic_load(&r.requests), 1);
    (void)shutdown(r.fd, SHUT_RDWR);
    assert_int_equal(pthread_join(r.thread, NULL), 0);
    (void)close(r.fd);
    SSL_CTX_free(r.tls);
    X509_free(cert);
    EVP_PKEY_free(key);
    (void)unlink(path);
}

static void urls(void **state)
{
    (void)state;
    static const char *const good[] = {"http://a/", "https://hooks.example.gov.cn:8443/x/y?z=1",
                                       "http://[::1]:80", "HTTP://A.b"};
    static const char *const bad[] = {"",
                                      "hooks.example.cn",
                                      "//a/b",
                                      "ftp://a/",
                                      "file:///etc/passwd",
                                      "gopher://a/",
                                      "http://",
                                      "http:///x",
                                      "http://user@a/",
                                      "http://user:pass@a/",
                                      "http://a/#b",
                                      "http://a b/",
                                      "http://a/\r\nX: 1",
                                      "http://a:99999/",
                                      "http://a\\@b/"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!sender_url_valid(span_str(good[i])))
            fail_msg("'%s' was refused", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (sender_url_valid(span_str(bad[i])))
            fail_msg("'%s' was taken", bad[i]);
    }
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_posts),
        cmocka_unit_test(a_connection_is_used_again),
        cmocka_unit_test(redirects_are_answers),
        cmocka_unit_test(retry_after),
        cmocka_unit_test(no_answer),
        cmocka_unit_test(a_slow_one),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(answers_without_end),
        cmocka_unit_test(private_addresses_are_refused),
        cmocka_unit_test(the_environment_is_ignored),
        cmocka_unit_test(closed_under_way),
        cmocka_unit_test(certificates_are_checked),
        cmocka_unit_test(urls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
