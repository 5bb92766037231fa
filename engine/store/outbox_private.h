/*
 * outbox_private: what the outbox's reader needs from the outbox.
 */
#ifndef JIESU_STORE_OUTBOX_PRIVATE_H
#define JIESU_STORE_OUTBOX_PRIVATE_H

struct outbox;

/* The path of the file; valid while the outbox is open. */
const char *outbox_path(const struct outbox *outbox);

#endif
