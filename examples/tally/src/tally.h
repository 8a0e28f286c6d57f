#ifndef TALLY_H
#define TALLY_H

#include <stddef.h>

/* A tally counts how often each word was added. */
typedef struct tally tally;

/* tally_new returns an empty tally, or NULL when memory is short. */
tally *tally_new(void);

/* tally_add counts a word once more and returns its count, 0 when memory is short. */
size_t tally_add(tally *t, const char *word);

/* tally_count returns the count of a word, 0 when it was never added. */
size_t tally_count(const tally *t, const char *word);

/* tally_size returns how many different words were added. */
size_t tally_size(const tally *t);

/* tally_each calls fn for each word, in the order of its first appearance. */
void tally_each(const tally *t, void (*fn)(const char *word, size_t count, void *arg), void *arg);

/* tally_free releases a tally; NULL is allowed. */
void tally_free(tally *t);

#endif
