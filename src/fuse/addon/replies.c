// What JavaScript calls on a channel: replies, written synchronously from where their bytes lie,
// slots given back, and messages for the notifier.
#include "channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

// Below the kernel's UIO_MAXIOV; more pieces are gathered into one buffer first.
#define MAX_PIECES 256

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

// replyData(headLength, pieces): so much of the reply area, then the Uint8Arrays from where they
// lie.
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
  if (self->paused && !self->stopped) channel_watch(self);
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

bool define_reply_functions(napi_env env, napi_value object, channel *self) {
  return define_function(env, object, "reply", reply, self) &&
         define_function(env, object, "replyData", reply_data, self) &&
         define_function(env, object, "release", release, self) &&
         define_function(env, object, "notify", notify, self);
}
