/*
 * hook_receiver: a webhook receiver that misbehaves on demand, for tests/system/test_hooks.sh.
 *
 *   hook_receiver --port P --secret FILE --log FILE [--fail PERCENT] [--cut PERCENT] [--slow MS]
 *                 [--hang PERCENT] [--gone FILE] [--seed N]
 *
 * It listens on loopback, checks each post's signature, and writes a line "outcome id complaint version" for each:
 * taken (200), refused (500), cut (the connection is broken instead of an answer), hung (no answer for 3 s), gone
 * (410: the complaint stands in the file --gone), forged (401). The head and body of the last post taken stand
 * in LOG.sample. It answers each post after 0 to --slow ms. It ends with its parent.
 */
#include "engine/base/buf.h"
#include "engine/base/hmac.h"
#include "engine/base/random.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_BYTES = 65536, FIELD_BYTES = 128, LINE_BYTES = 512, HANG_MS = 3000 };

static struct {
    int port, fail, cut, slow, hang;
    const char *secret_file, *log_file, *gone_file;
    char secret[FIELD_BYTES];
    int log;
    pthread_mutex_t lock; /* of random */
    struct random random;
} receiver = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static int chance(int below)
{
    (void)pthread_mutex_lock(&receiver.lock);
    const int n = (int)random_below(&receiver.random, (uint64_t)below);
    (void)pthread_mutex_unlock(&receiver.lock);
    return n;
}

/* The text between `before` and the next of `ends`. */
static struct span between(struct span text, const char *before, const char *ends)
{
    const ptrdiff_t at = span_find(text, span_str(before));
    if (at < 0)
        return SPAN("");
    struct span rest = span_sub(text, (size_t)at + strlen(before), text.len);
    size_t len = 0;
    while (len < rest.len && strchr(ends, rest.ptr[len]) == NULL)
        len++;
    return span_sub(rest, 0, len);
}

static bool is_genuine(struct span head, struct span body)
{
    const struct span t = between(head, "Jiesu-Signature: t=", ",\r"),
                      v1 = between(head, ",v1=", ",\r");
    char hex[HMAC_HEX_BYTES];
    struct buf text = {0};
    buf_span(&text, t);
    buf_char(&text, '.');
    buf_span(&text, body);
    const bool good = t.len > 0 &&
                      hmac_sha256(span_str(receiver.secret), buf_view(&text), hex) == 0 &&
                      span_eq(v1, span_str(hex));
    buf_free(&text);
    return good;
}

static bool is_gone(struct span complaint)
{
    static const size_t most = 4096;
    char text[4096];
    if (receiver.gone_file == NULL || complaint.len == 0)
        return false;
    const int fd = open(receiver.gone_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t len = read(fd, text, most);
    (void)close(fd);
    return len > 0 && span_find(span_of(text, (size_t)len), complaint) >= 0;
}

static void keep_sample(struct span request)
{
    char path[LINE_BYTES];
    (void)snprintf(path, sizeof path, "%s.sample", receiver.log_file);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, request.ptr, request.len) != (ssize_t)request.len)
        die(path);
    (void)close(fd);
}

static const char *decide(struct span head, struct span body, struct span complaint)
{
    if (!is_genuine(head, body))
        return "forged";
    if (is_gone(complaint))
        return "gone";
    const int n = chance(100);
    return n < receiver.fail                                  ? "refused"
           : n < receiver.fail + receiver.cut                 ? "cut"
           : n < receiver.fail + receiver.cut + receiver.hang ? "hung"
                                                              : "taken";
}

/* False when the connection is to be broken. */
static bool answer(int fd, struct span request, size_t head_len)
{
    const struct span head = span_sub(request, 0, head_len),
                      body = span_sub(request, head_len, request.len),
                      complaint = between(body, "\"complaint\":\"", "\"");
    const char *outcome = decide(head, body, complaint);
    const bool taken = strcmp(outcome, "taken") == 0;
    char line[LINE_BYTES];
    if (receiver.slow > 0) /* a receiver that takes its time is what is tested */
        (void)usleep((useconds_t)(chance(receiver.slow + 1) * 1000));
    if (taken)
        keep_sample(request);
    const struct span id = between(body, "\"id\":\"", "\""),
                      version = between(body, "\"version\":", ",}");
    const int len = snprintf(line, sizeof line, "%s %.*s %.*s %.*s\n", outcome, SPAN_ARG(id),
                             SPAN_ARG(complaint), SPAN_ARG(version));
    if (write(receiver.log, line, (size_t)len) != len)
        die("log");
    if (strcmp(outcome, "cut") == 0)
        return false;
    if (strcmp(outcome, "hung") == 0) {
        (void)usleep(HANG_MS * 1000);
        return false;
    }
    const int status = taken                            ? 200
                       : strcmp(outcome, "gone") == 0   ? 410
                       : strcmp(outcome, "forged") == 0 ? 401
                                                        : 500;
    const int sent =
        snprintf(line, sizeof line, "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", status);
    return send(fd, line, (size_t)sent, MSG_NOSIGNAL) == sent;
}

static void *serve(void *ctx)
{
    const int fd = (int)(intptr_t)ctx;
    char *text = malloc(REQUEST_BYTES + 1);
    size_t len = 0;
    if (text == NULL)
        die("memory");
    for (;;) {
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = end == NULL ? NULL : strcasestr(text, "content-length:");
        const size_t head = end == NULL ? 0 : (size_t)(end + 4 - text);
        const size_t whole = head + (length == NULL ? 0 : (size_t)strtoul(length + 15, NULL, 10));
        if (end != NULL && len >= whole) {
            if (!answer(fd, span_of(text, whole), head))
                break;
            memmove(text, text + whole, len - whole);
            len -= whole;
            continue;
        }
        const ssize_t n = recv(fd, text + len, REQUEST_BYTES - len, 0);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    free(text);
    (void)close(fd);
    return NULL;
}

static void read_arguments(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        const char *name = argv[i], *value = argv[i + 1];
        const int number = atoi(value);
        if (strcmp(name, "--port") == 0)
            receiver.port = number;
        else if (strcmp(name, "--secret") == 0)
            receiver.secret_file = value;
        else if (strcmp(name, "--log") == 0)
            receiver.log_file = value;
        else if (strcmp(name, "--gone") == 0)
            receiver.gone_file = value;
        else if (strcmp(name, "--fail") == 0)
            receiver.fail = number;
        else if (strcmp(name, "--cut") == 0)
            receiver.cut = number;
        else if (strcmp(name, "--hang") == 0)
            receiver.hang = number;
        else if (strcmp(name, "--slow") == 0)
            receiver.slow = number;
        else if (strcmp(name, "--seed") == 0)
            receiver.random.state = (uint64_t)number;
        else
            die(name);
    }
}

int main(int argc, char **argv)
{
    const int one = 1;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    read_arguments(argc, argv);
    FILE *file = fopen(receiver.secret_file, "re");
    if (file == NULL || fgets(receiver.secret, sizeof receiver.secret, file) == NULL)
        die("secret");
    (void)fclose(file);
    receiver.secret[strcspn(receiver.secret, "\r\n")] = '\0';
    receiver.log = open(receiver.log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)receiver.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    if (receiver.log < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 64) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &len) < 0)
        die("listen");
    printf("%d\n", ntohs(at.sin_port));
    (void)fflush(stdout);
    for (;;) {
        pthread_t thread;
        const int fd = accept(listener, NULL, NULL);
        if (fd < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0)
            die("accept");
        (void)pthread_detach(thread);
    }
}
