/*
 * pii: personal data, masked wherever it is not needed.
 */
#ifndef JIESU_MODEL_PII_H
#define JIESU_MODEL_PII_H

#include "engine/base/buf.h"
#include "engine/base/span.h"

/* 138****5678: separators and a country code go; 11 digits and more keep the first three and the
 * last four, a shorter number its last two at most, and what is no number nothing. */
void pii_mask_phone(struct span phone, struct buf *out);
/* 欧*** : the first character stays, each other becomes '*'. */
void pii_mask_name(struct span name, struct buf *out);
/* Copies text and masks what looks like a mobile or landline number, a resident identity card (18
 * digits, the last may be X), a bank card (16-19 digits), any other run of seven digits and more,
 * or the local part of an e-mail address, also in full width and with separators. A mobile number
 * keeps its first three and last four digits, everything else keeps none. Bytes that are not UTF-8
 * are copied as they are. */
void pii_mask_text(struct span text, struct buf *out);

#endif
