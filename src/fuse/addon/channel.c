// The channel to /dev/fuse: one read is one request, one write is one reply, and that is all it
// knows. Requests land in slots of a pool that JavaScript sees as one ArrayBuffer; libuv's own loop
// says when to read; JavaScript is called once a batch. No thread, no copy, no allocation a
// request.
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// A busy channel that spins goes back to the loop at times, for the sockets and timers there.
#define MAX_SPIN_BATCHES 32

void throw_errno(napi_env env, int error, const char *what) {
  char text[256];
  snprintf(text, sizeof text, "%s: %s", what, strerror(error));
  napi_throw_error(env, uv_err_name(uv_translate_sys_error(error)), text);
}

bool define_function(napi_env env, napi_value object, const char *name, napi_callback callback,
                     void *data) {
  napi_value function;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, data, &function) == napi_ok &&
         napi_set_named_property(env, object, name, function) == napi_ok;
}

static void on_readable(uv_poll_t *poll, int status, int events);

// Reads at most `limit` requests; the errno that ends the connection, else 0.
static int read_batch(channel *self, int limit, int *count) {
  *count = 0;
  while (*count < limit && self->free_count > 0) {
    int slot = self->free_slots[self->free_count - 1];
    uint8_t *target = self->pool + (size_t)slot * SLOT_STRIDE + SLOT_START;
    ssize_t length = read(self->fd, target, REQUEST_BYTES);
    if (length >= 0) {
      self->free_count--;
      self->batch[2 * *count] = slot;
      self->batch[2 * *count + 1] = (int32_t)length;
      ++*count;
    } else if (errno == EAGAIN) {
      return 0;
    } else if (errno != EINTR && errno != ENOENT) {
      return errno;
    }
  }
  return 0;
}

static void call(channel *self, napi_ref function_ref, int32_t argument) {
  napi_handle_scope scope;
  if (napi_open_handle_scope(self->env, &scope) != napi_ok) return;
  napi_value receiver, function, value, result;
  if (napi_get_reference_value(self->env, self->self, &receiver) == napi_ok &&
      napi_get_reference_value(self->env, function_ref, &function) == napi_ok &&
      napi_create_int32(self->env, argument, &value) == napi_ok &&
      napi_make_callback(self->env, self->context, receiver, function, 1, &value, &result) ==
          napi_pending_exception) {
    napi_value error;
    if (napi_get_and_clear_last_exception(self->env, &error) == napi_ok) {
      napi_fatal_exception(self->env, error);
    }
  }
  napi_close_handle_scope(self->env, scope);
}

// JavaScript keeps a slot by setting its length to 0; the others are free again when it returns.
static void deliver(channel *self, int count) {
  call(self, self->on_batch, count);
  for (int i = count - 1; i >= 0; i--) {
    if (self->batch[2 * i + 1] != 0) self->free_slots[self->free_count++] = self->batch[2 * i];
  }
}

static void free_channel(channel *self) {
  if (self->cleanup != NULL) napi_remove_async_cleanup_hook(self->cleanup);
  free(self);
}

static void on_poll_closed(uv_handle_t *handle) {
  channel *self = handle->data;
  close(self->fd);
  self->fd = -1;
  if (self->torn_down) {
    napi_async_cleanup_hook_handle cleanup = self->cleanup;
    self->cleanup = NULL;
    napi_remove_async_cleanup_hook(cleanup);
    return;
  }
  napi_handle_scope scope;
  if (napi_open_handle_scope(self->env, &scope) != napi_ok) return;
  napi_async_destroy(self->env, self->context);
  napi_delete_reference(self->env, self->on_batch);
  napi_delete_reference(self->env, self->on_closed);
  napi_delete_reference(self->env, self->self); // last: from here on `self` may be collected
  napi_close_handle_scope(self->env, scope);
}

static void stop(channel *self) {
  if (self->stopped) return;
  self->stopped = true;
  notifier_abandon(self->notifier);
  uv_poll_stop(&self->poll);
  uv_close((uv_handle_t *)&self->poll, on_poll_closed);
}

static void on_environment_end(napi_async_cleanup_hook_handle handle, void *argument) {
  channel *self = argument;
  self->torn_down = true;
  if (self->fd < 0) {
    self->cleanup = NULL;
    napi_remove_async_cleanup_hook(handle);
  } else {
    stop(self);
  }
}

void channel_watch(channel *self) {
  self->paused = self->free_count == 0;
  if (self->paused) {
    uv_poll_stop(&self->poll);
  } else {
    uv_poll_start(&self->poll, UV_READABLE, on_readable);
  }
}

// True when another batch may be looked for at once.
static bool read_and_deliver(channel *self, int *count) {
  int error = read_batch(self, BATCH_SIZE, count);
  if (*count > 0) deliver(self, *count);
  if (error != 0 && !self->stopped) {
    stop(self);
    if (!self->torn_down) call(self, self->on_closed, error);
  }
  return error == 0 && !self->stopped && self->free_count > 0;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  channel *self = poll->data;
  int count;
  bool more = read_and_deliver(self, &count);
  if (more && self->spin_ns > 0) {
    uint64_t start = uv_hrtime();
    if (start - self->last_busy_ns < 1000000) {
      uint64_t deadline = start + self->spin_ns;
      for (int batches = 0; more && batches < MAX_SPIN_BATCHES;) {
        more = read_and_deliver(self, &count);
        uint64_t now = uv_hrtime();
        if (count > 0) {
          batches++;
          deadline = now + self->spin_ns;
        } else if (now > deadline) {
          break;
        }
      }
    }
    self->last_busy_ns = uv_hrtime();
  }
  // libuv stops a handle that it reports an error for; an error that isn't ENODEV must not end it.
  if (!self->stopped && (status < 0 || self->free_count == 0)) channel_watch(self);
}

// stop(): closes the descriptor soon; onClosed isn't called.
static napi_value stop_channel(napi_env env, napi_callback_info info) {
  void *data;
  if (napi_get_cb_info(env, info, NULL, NULL, NULL, &data) == napi_ok) stop(data);
  return NULL;
}

static void unmap_pool(napi_env env, void *bytes, void *hint) { munmap(bytes, POOL_BYTES); }

static void collect_channel(napi_env env, void *data, void *hint) { free_channel(data); }

static bool set_number(napi_env env, napi_value object, const char *name, int64_t number) {
  napi_value value;
  return napi_create_int64(env, number, &value) == napi_ok &&
         napi_set_named_property(env, object, name, value) == napi_ok;
}

// Takes over `fd`, maps the pool and begins to watch. An errno, or 0.
static int open_channel(napi_env env, channel *self, int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return errno;
  uv_loop_t *loop;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return EINVAL;
  // Not reserved: a slot costs memory once something that large has been in it.
  self->pool = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (self->pool == MAP_FAILED) return ENOMEM;
  self->notifier = notifier_create(fd);
  int error = self->notifier == NULL ? -ENOMEM : uv_poll_init(loop, &self->poll, fd);
  if (error != 0) {
    if (self->notifier != NULL) notifier_abandon(self->notifier);
    munmap(self->pool, POOL_BYTES);
    return -error;
  }
  self->fd = fd;
  self->poll.data = self;
  self->batch = (int32_t *)(self->pool + BATCH_OFFSET);
  for (int i = 0; i < SLOT_COUNT; i++) self->free_slots[i] = SLOT_COUNT - 1 - i;
  self->free_count = SLOT_COUNT;
  return 0;
}

static bool expose(napi_env env, channel *self, napi_value object, napi_value on_batch,
                   napi_value on_closed) {
  napi_value pool, name;
  return napi_create_external_arraybuffer(env, self->pool, POOL_BYTES, unmap_pool, NULL, &pool) ==
             napi_ok &&
         napi_set_named_property(env, object, "pool", pool) == napi_ok &&
         define_reply_functions(env, object, self) &&
         define_function(env, object, "stop", stop_channel, self) &&
         napi_create_reference(env, object, 1, &self->self) == napi_ok &&
         napi_create_reference(env, on_batch, 1, &self->on_batch) == napi_ok &&
         napi_create_reference(env, on_closed, 1, &self->on_closed) == napi_ok &&
         napi_create_string_utf8(env, "dfs fuse channel", NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_async_init(env, object, name, &self->context) == napi_ok &&
         napi_wrap(env, object, self, collect_channel, NULL, NULL) == napi_ok &&
         napi_add_async_cleanup_hook(env, on_environment_end, self, &self->cleanup) == napi_ok;
}

// start(fd, spinMicroseconds, onBatch(count), onClosed(errno)): the channel; `fd` is its own now.
static napi_value start_channel(napi_env env, napi_callback_info info) {
  napi_value args[4], object;
  size_t count = 4;
  int32_t fd, spin_microseconds;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count != 4 ||
      napi_get_value_int32(env, args[0], &fd) != napi_ok ||
      napi_get_value_int32(env, args[1], &spin_microseconds) != napi_ok ||
      napi_create_object(env, &object) != napi_ok) {
    throw_errno(env, EINVAL, "start");
    return NULL;
  }
  channel *self = calloc(1, sizeof *self);
  int error = self == NULL ? ENOMEM : open_channel(env, self, fd);
  if (error != 0) {
    free(self);
    throw_errno(env, error, "cannot watch the FUSE device");
    return NULL;
  }
  self->env = env;
  self->spin_ns = (uint64_t)(spin_microseconds > 0 ? spin_microseconds : 0) * 1000;
  if (!expose(env, self, object, args[2], args[3])) {
    stop(self);
    throw_errno(env, ENOMEM, "cannot create the channel object");
    return NULL;
  }
  channel_watch(self);
  return object;
}

static bool define_layout(napi_env env, napi_value exports) {
  napi_value layout;
  return napi_create_object(env, &layout) == napi_ok &&
         set_number(env, layout, "slotCount", SLOT_COUNT) &&
         set_number(env, layout, "slotStride", SLOT_STRIDE) &&
         set_number(env, layout, "slotStart", SLOT_START) &&
         set_number(env, layout, "replyOffset", REPLY_OFFSET) &&
         set_number(env, layout, "replyBytes", REPLY_BYTES) &&
         set_number(env, layout, "batchOffset", BATCH_OFFSET) &&
         set_number(env, layout, "batchSize", BATCH_SIZE) &&
         set_number(env, layout, "poolBytes", POOL_BYTES) &&
         napi_set_named_property(env, exports, "layout", layout) == napi_ok;
}

NAPI_MODULE_INIT() {
  if (!define_layout(env, exports) || !define_mount_functions(env, exports) ||
      !define_function(env, exports, "start", start_channel, NULL)) {
    throw_errno(env, ENOMEM, "cannot define the FUSE channel's functions");
    return NULL;
  }
  return exports;
}
