// What the files of the addon share. The channel itself is in channel.c, the thread that writes
// cache invalidations in notifier.c, mounting and descriptor passing in mount.c.
#ifndef DFS_FUSE_PARTS_H
#define DFS_FUSE_PARTS_H

#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>

/** Throws an Error whose `code` is the errno's name, as Node's own system errors have it. */
void throw_errno(napi_env env, int error, const char *what);

/** Defines `name` on `object` as a function bound to `data`. False with an exception pending. */
bool define_function(napi_env env, napi_value object, const char *name, napi_callback callback,
                     void *data);

bool define_mount_functions(napi_env env, napi_value exports);

/** A queue of messages and the thread that writes them to the device, one write a message. */
typedef struct notifier notifier;

/** Takes a duplicate of `fd`; the thread starts with the first message. NULL: out of memory. */
notifier *notifier_create(int fd);
/** Copies the message. False when the queue is full or no thread can be had. */
bool notifier_push(notifier *self, const void *message, size_t length);
/** Drops what is queued; the thread ends by itself, even if it is in the kernel now. */
void notifier_abandon(notifier *self);

#endif
