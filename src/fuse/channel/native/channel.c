// The channel to /dev/fuse: one read is one request, one write is one reply, and that is all it knows.
// Requests land in slots of a pool that JavaScript sees as one ArrayBuffer; libuv's own loop says when
// to read; JavaScript is called once a batch. No thread, no copy, no allocation a request.
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

#define PAGE_BYTES 4096
#define DATA_BYTES (1 << 20)
#define SLOT_COUNT 64
#define SLOT_STRIDE (DATA_BYTES + PAGE_BYTES)
// Both headers of a WRITE (fuse_in_header, fuse_write_in): a slot begins so far before a page that the
// data to write lies on the page, and the space is just what the kernel demands for max_write.
#define WRITE_HEAD_BYTES 80
#define SLOT_START (PAGE_BYTES - WRITE_HEAD_BYTES)
#define REQUEST_BYTES (WRITE_HEAD_BYTES + DATA_BYTES)
#define REPLY_OFFSET (SLOT_COUNT * SLOT_STRIDE)
#define REPLY_BYTES SLOT_STRIDE
#define BATCH_OFFSET (REPLY_OFFSET + REPLY_BYTES)
#define BATCH_SIZE 32
#define POOL_BYTES (BATCH_OFFSET + PAGE_BYTES)
// Below the kernel's UIO_MAXIOV; more pieces are gathered into one buffer first.
#define MAX_PIECES 256
// A busy channel that spins goes back to the loop at times, for the sockets and timers there.
#define MAX_SPIN_BATCHES 32

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

static void watch(channel *self) {
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
  if (!self->stopped && (status < 0 || self->free_count == 0)) watch(self);
}

static napi_value errno_value(napi_env env, int error) {
  napi_value value;
  if (error == 0) return NULL;
  return napi_create_int32(env, error, &value) == napi_ok ? value : NULL;
}

static int write_all(channel *self, const struct iovec *pieces, int count) {
  if (self->fd < 0) return ENODEV;
  ssize_t written;
  do {
    written = count == 1 ? write(self->fd, pieces[0].iov_base, pieces[0].iov_len)
                         : writev(self->fd, pieces, count);
  } while (written < 0 && errno == EINTR);
  return written < 0 ? errno : 0;
}

// reply(length): sends so many bytes of the reply area. Undefined, or the errno.
static napi_value reply(napi_env env, napi_callback_info info) {
  napi_value args[1];
  size_t count = 1;
  void *data;
  int32_t length;
  if (napi_get_cb_info(env, info, &count, args, NULL, &data) != napi_ok ||
      napi_get_value_int32(env, args[0], &length) != napi_ok || length < 0 ||
      length > REPLY_BYTES) {
    return errno_value(env, EINVAL);
  }
  channel *self = data;
  struct iovec piece = {.iov_base = self->pool + REPLY_OFFSET, .iov_len = (size_t)length};
  return errno_value(env, write_all(self, &piece, 1));
}

static int write_gathered(channel *self, napi_env env, napi_value array, uint32_t count,
                          struct iovec head) {
  uint8_t *buffer = malloc(head.iov_len + DATA_BYTES);
  if (buffer == NULL) return ENOMEM;
  size_t filled = head.iov_len;
  memcpy(buffer, head.iov_base, head.iov_len);
  int error = 0;
  for (uint32_t i = 0; i < count && error == 0; i++) {
    napi_value element;
    void *bytes;
    size_t length;
    if (napi_get_element(env, array, i, &element) != napi_ok ||
        napi_get_typedarray_info(env, element, NULL, &length, &bytes, NULL, NULL) != napi_ok ||
        filled + length > head.iov_len + DATA_BYTES) {
      error = EINVAL;
    } else {
      memcpy(buffer + filled, bytes, length);
      filled += length;
    }
  }
  struct iovec whole = {.iov_base = buffer, .iov_len = filled};
  if (error == 0) error = write_all(self, &whole, 1);
  free(buffer);
  return error;
}

// replyData(headLength, pieces): so much of the reply area, then the Uint8Arrays from where they lie.
static napi_value reply_data(napi_env env, napi_callback_info info) {
  napi_value args[2];
  size_t arg_count = 2;
  void *data;
  int32_t head_length;
  uint32_t count;
  if (napi_get_cb_info(env, info, &arg_count, args, NULL, &data) != napi_ok ||
      napi_get_value_int32(env, args[0], &head_length) != napi_ok || head_length < 0 ||
      head_length > REPLY_BYTES || napi_get_array_length(env, args[1], &count) != napi_ok) {
    return errno_value(env, EINVAL);
  }
  channel *self = data;
  struct iovec pieces[MAX_PIECES + 1];
  pieces[0].iov_base = self->pool + REPLY_OFFSET;
  pieces[0].iov_len = (size_t)head_length;
  if (count > MAX_PIECES) {
    return errno_value(env, write_gathered(self, env, args[1], count, pieces[0]));
  }
  for (uint32_t i = 0; i < count; i++) {
    napi_value element;
    if (napi_get_element(env, args[1], i, &element) != napi_ok ||
        napi_get_typedarray_info(env, element, NULL, &pieces[i + 1].iov_len,
                                 &pieces[i + 1].iov_base, NULL, NULL) != napi_ok) {
      return errno_value(env, EINVAL);
    }
  }
  return errno_value(env, write_all(self, pieces, (int)count + 1));
}

// release(slot): a slot that was kept is free again.
static napi_value release(napi_env env, napi_callback_info info) {
  napi_value args[1];
  size_t count = 1;
  void *data;
  int32_t slot;
  if (napi_get_cb_info(env, info, &count, args, NULL, &data) != napi_ok ||
      napi_get_value_int32(env, args[0], &slot) != napi_ok || slot < 0 || slot >= SLOT_COUNT) {
    throw_errno(env, EINVAL, "release");
    return NULL;
  }
  channel *self = data;
  if (self->free_count == SLOT_COUNT) {
    throw_errno(env, EINVAL, "release of a slot that is free");
    return NULL;
  }
  self->free_slots[self->free_count++] = slot;
  if (self->paused && !self->stopped) watch(self);
  return NULL;
}

// notify(message): queues it for the notifier's thread. False when there is no room or no channel.
static napi_value notify(napi_env env, napi_callback_info info) {
  napi_value args[1], result;
  size_t count = 1, length;
  void *data, *bytes;
  if (napi_get_cb_info(env, info, &count, args, NULL, &data) != napi_ok ||
      napi_get_typedarray_info(env, args[0], NULL, &length, &bytes, NULL, NULL) != napi_ok) {
    throw_errno(env, EINVAL, "notify");
    return NULL;
  }
  channel *self = data;
  bool queued = !self->stopped && notifier_push(self->notifier, bytes, length);
  return napi_get_boolean(env, queued, &result) == napi_ok ? result : NULL;
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
         define_function(env, object, "reply", reply, self) &&
         define_function(env, object, "replyData", reply_data, self) &&
         define_function(env, object, "release", release, self) &&
         define_function(env, object, "notify", notify, self) &&
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
  watch(self);
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
