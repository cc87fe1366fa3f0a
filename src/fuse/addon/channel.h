// A channel's state and the layout of its pool, for channel.c (reading, beginning, ending) and
// replies.c (what JavaScript calls).
#ifndef DFS_FUSE_CHANNEL_H
#define DFS_FUSE_CHANNEL_H

#include "parts.h"

#include <stdint.h>
#include <uv.h>

#define PAGE_BYTES 4096
#define DATA_BYTES (1 << 20)
#define SLOT_COUNT 64
#define SLOT_STRIDE (DATA_BYTES + PAGE_BYTES)
// Both headers of a WRITE (fuse_in_header, fuse_write_in): a slot begins so far before a page that
// the data to write lies on the page, and the space is just what the kernel demands for max_write.
#define WRITE_HEAD_BYTES 80
#define SLOT_START (PAGE_BYTES - WRITE_HEAD_BYTES)
#define REQUEST_BYTES (WRITE_HEAD_BYTES + DATA_BYTES)
#define REPLY_OFFSET (SLOT_COUNT * SLOT_STRIDE)
#define REPLY_BYTES SLOT_STRIDE
#define BATCH_OFFSET (REPLY_OFFSET + REPLY_BYTES)
#define BATCH_SIZE 32
#define POOL_BYTES (BATCH_OFFSET + PAGE_BYTES)

typedef struct {
  napi_env env;
  uv_poll_t poll;
  int fd;
  uint8_t *pool;
  int32_t *batch; // pairs of slot and length, in the pool
  int free_slots[SLOT_COUNT];
  int free_count;
  bool paused; // no slot is free, so the loop isn't told to watch
  bool stopped;
  bool torn_down; // the environment is ending: no call into JavaScript any more
  uint64_t spin_ns, last_busy_ns;
  notifier *notifier;
  napi_ref self, on_batch, on_closed;
  napi_async_context context;
  napi_async_cleanup_hook_handle cleanup;
} channel;

/** Watches the descriptor while there is a free slot. */
void channel_watch(channel *self);

/** Defines reply, replyData, release and notify on the channel's object. */
bool define_reply_functions(napi_env env, napi_value object, channel *self);

#endif
