/*
 * hiredis parses; what it finds is built by our own functions, in an arena that is reset from reply
 * to reply. So a reply costs no malloc of its own, an allocation that fails is an error like any
 * other, and an array that claims a billion elements is refused when it claims them (hiredis' own
 * functions would trust it).
 *
 * The elements of an array stand side by side in their parent, which hiredis tells us by the task.
 *
 * hiredis asserts when it cannot shrink its input buffer, so it is told never to. A buffer that one
 * large reply has blown up is dropped with the whole hiredis reader, between two replies.
 */
#include "engine/store/reply_reader.h"

#include "engine/base/arena.h"
#include "engine/base/mem.h"

#include <hiredis/read.h>
#include <stdbool.h>

enum { BLOCK_BYTES = 16384, KEPT_BYTES = 1 << 20 };

struct reply_reader {
    redisReader *parser;
    struct arena *arena;
    size_t limit;
    size_t used;     /* bytes of the reply being built */
    size_t peak;     /* longest input buffer so far */
    bool over;       /* the limit was passed */
    bool handed_out; /* the arena holds a whole reply that the caller has seen */
};

/* Counts size bytes against the limit. */
static bool charge(struct reply_reader *reader, size_t size)
{
    if (size > reader->limit - reader->used) {
        reader->over = true;
        return false;
    }
    reader->used += size;
    return true;
}

/* The place for what a task found: its slot in the parent array, or a root of its own. */
static struct reply *place(const redisReadTask *task)
{
    struct reply_reader *reader = task->privdata;
    if (task->parent != NULL) {
        struct reply *parent = task->parent->obj;
        return &parent->of.items[task->idx];
    }
    if (!charge(reader, sizeof(struct reply)))
        return NULL;
    return arena_zalloc(reader->arena, 1, sizeof(struct reply));
}

static enum reply_type text_type(int type)
{
    if (type == REDIS_REPLY_ERROR)
        return REPLY_ERROR;
    return type == REDIS_REPLY_STATUS ? REPLY_STATUS : REPLY_STRING;
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    struct reply_reader *reader = task->privdata;
    if (!charge(reader, len))
        return NULL;
    struct span copy = arena_copy(reader->arena, span_of(text, len));
    struct reply *reply = place(task);
    if (copy.ptr == NULL || reply == NULL)
        return NULL;
    *reply = (struct reply){.type = text_type(task->type), .len = len, .of.text = copy.ptr};
    return reply;
}

static void *create_array(const redisReadTask *task, int count)
{
    struct reply_reader *reader = task->privdata;
    size_t n = (size_t)count;
    if (n > reader->limit / sizeof(struct reply) || !charge(reader, n * sizeof(struct reply))) {
        reader->over = true;
        return NULL;
    }
    struct reply *items = arena_zalloc(reader->arena, n == 0 ? 1 : n, sizeof(struct reply));
    struct reply *reply = place(task);
    if (items == NULL || reply == NULL)
        return NULL;
    *reply = (struct reply){.type = REPLY_ARRAY, .len = n, .of.items = items};
    return reply;
}

static void *create_integer(const redisReadTask *task, long long value)
{
    struct reply *reply = place(task);
    if (reply != NULL)
        *reply = (struct reply){.type = REPLY_INTEGER, .of.integer = value};
    return reply;
}

static void *create_nil(const redisReadTask *task)
{
    struct reply *reply = place(task);
    if (reply != NULL)
        *reply = (struct reply){.type = REPLY_NIL};
    return reply;
}

static void free_object(void *object)
{
    (void)object; /* it belongs to the arena */
}

static redisReplyObjectFunctions functions = {create_string, create_array, create_integer,
                                              create_nil, free_object};

static redisReader *parser_new(struct reply_reader *reader)
{
    redisReader *parser = redisReaderCreateWithFunctions(&functions);
    if (parser != NULL) {
        parser->privdata = reader;
        parser->maxbuf = 0;
    }
    return parser;
}

struct reply_reader *reply_reader_new(size_t limit)
{
    struct reply_reader *reader = mem_zalloc(1, sizeof(*reader));
    if (reader == NULL)
        return NULL;
    reader->limit = limit;
    reader->arena = arena_new(BLOCK_BYTES);
    reader->parser = parser_new(reader);
    if (reader->arena == NULL || reader->parser == NULL)
        reply_reader_free(&reader);
    return reader;
}

void reply_reader_free(struct reply_reader **reader)
{
    if (*reader == NULL)
        return;
    if ((*reader)->parser != NULL)
        redisReaderFree((*reader)->parser);
    arena_free(&(*reader)->arena);
    mem_free(*reader);
    *reader = NULL;
}

static int limit_error(const struct reply_reader *reader, struct err *err)
{
    return err_set(err, ERR_LIMIT, "a reply of Redis is longer than %zu bytes", reader->limit);
}

static int parser_error(const struct reply_reader *reader, struct err *err)
{
    if (reader->over)
        return limit_error(reader, err);
    if (reader->parser->err == REDIS_ERR_OOM)
        return err_set(err, ERR_NOMEM, "no memory for a reply of Redis");
    return err_set(err, ERR_PROTOCOL, "this is not Redis' protocol: %s", reader->parser->errstr);
}

int reply_reader_feed(struct reply_reader *reader, const char *bytes, size_t len, struct err *err)
{
    redisReader *parser = reader->parser;
    if (parser->len - parser->pos > reader->limit)
        return limit_error(reader, err);
    if (redisReaderFeed(parser, bytes, len) != REDIS_OK)
        return parser_error(reader, err);
    if (parser->len > reader->peak)
        reader->peak = parser->len;
    return 0;
}

/* Between two replies: gives back a buffer that has grown large. Keeps it when memory is short. */
static void shrink(struct reply_reader *reader)
{
    redisReader *fresh = parser_new(reader);
    if (fresh == NULL)
        return;
    redisReaderFree(reader->parser);
    reader->parser = fresh;
    reader->peak = 0;
}

int reply_reader_next(struct reply_reader *reader, const struct reply **reply, struct err *err)
{
    if (reader->handed_out) {
        arena_reset(reader->arena);
        reader->used = 0;
        reader->handed_out = false;
        if (reader->peak > KEPT_BYTES && reader->parser->pos == reader->parser->len)
            shrink(reader);
    }
    void *found = NULL;
    if (redisReaderGetReply(reader->parser, &found) != REDIS_OK)
        return parser_error(reader, err);
    if (found == NULL)
        return 0;
    reader->handed_out = true;
    *reply = found;
    return 1;
}
