/* The C interface of lego.so, the ACME engine of pylego.
 *
 * Texts are UTF-8 and end with a NUL. A char * that is returned belongs to the
 * caller and is freed with pylego_free (which is free).
 */
#ifndef PYLEGO_H
#define PYLEGO_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Blocking: one message in (email, server, csr, plugin, env, private_key, ...),
 * one answer out: {"success": true, "data": {...}} or
 * {"success": false, "error": {...}}. DNS providers need the executable lego in
 * the library's own folder. NULL: the process has no file descriptor left. */
char *RunLegoCommand(char *message);

/* Whether the library can be called here: 0 in a process forked from the one that
 * loaded it. A Go runtime does not survive fork: no other function may be called
 * there, and this one may be called anywhere. */
int pylego_usable(void);

/* The asynchronous interface, which Python uses. Every function may be called
 * from any thread. */

/* An engine of one's own; 0: the process has no file descriptor left. */
uint64_t pylego_open(void);

/* Readable when messages wait; -1: no such engine. Not to be read from or closed. */
int pylego_descriptor(uint64_t engine);

/* Starts a job under a number of the caller's choice: {"operation": ..., "input":
 * {...}, "timeout": seconds, "events": true to be told them}; 0: there is no such
 * engine, or the number is 0 or in use. */
int pylego_start(uint64_t engine, uint64_t job, char *request, size_t length);

/* All waiting messages of all jobs as one JSON array; NULL: none came in time.
 * 0 does not wait, a negative number waits as long as it takes. */
char *pylego_next(uint64_t engine, int milliseconds);

/* Answers a question of a job: {"id": ..., "answer": ...}. */
void pylego_reply(uint64_t engine, uint64_t job, char *answer, size_t length);

/* Cancels a job. Its error message follows when it has cleaned up; at once, and
   perhaps after another, if the engine does not know the job (any more). */
void pylego_cancel(uint64_t engine, uint64_t job);

/* Cancels all jobs, waits for their clean-up at most so long, frees the engine. */
void pylego_close(uint64_t engine, int milliseconds);

void pylego_free(char *text);
char *pylego_version(void);

#ifdef __cplusplus
}
#endif

#endif
