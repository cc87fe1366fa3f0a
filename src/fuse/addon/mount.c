// mount(2) and umount2(2) off the JavaScript thread, and receiving a descriptor from fusermount3.
#include "parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

// Both calls can wait for a request that this very process has to answer, so they run on libuv's
// pool.
typedef struct {
  napi_async_work work;
  napi_deferred deferred;
  bool mounting;
  char *source, *target, *type, *data;
  int32_t flags;
  int error;
} mount_job;

static void run_job(napi_env env, void *argument) {
  mount_job *job = argument;
  int result = job->mounting ? mount(job->source, job->target, job->type,
                                     (unsigned long)(uint32_t)job->flags, job->data)
                             : umount2(job->target, job->flags);
  job->error = result == 0 ? 0 : errno;
}

static void free_job(mount_job *job) {
  free(job->source);
  free(job->target);
  free(job->type);
  free(job->data);
  free(job);
}

static void finish_job(napi_env env, napi_status status, void *argument) {
  mount_job *job = argument;
  napi_value error;
  if (napi_create_int32(env, status == napi_ok ? job->error : ECANCELED, &error) == napi_ok) {
    napi_resolve_deferred(env, job->deferred, error);
  }
  napi_delete_async_work(env, job->work);
  free_job(job);
}

static char *copy_string(napi_env env, napi_value value) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return NULL;
  char *text = malloc(length + 1);
  if (text != NULL) napi_get_value_string_utf8(env, value, text, length + 1, &length);
  return text;
}

static napi_value queue_job(napi_env env, mount_job *job, bool complete) {
  napi_value name, promise;
  if (!complete) {
    free_job(job);
    throw_errno(env, EINVAL, "expected strings and a number");
    return NULL;
  }
  if (napi_create_string_utf8(env, "dfs mount", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_promise(env, &job->deferred, &promise) != napi_ok ||
      napi_create_async_work(env, NULL, name, run_job, finish_job, job, &job->work) != napi_ok ||
      napi_queue_async_work(env, job->work) != napi_ok) {
    free_job(job);
    throw_errno(env, ENOMEM, "cannot queue the call");
    return NULL;
  }
  return promise;
}

// mount(source, target, type, flags, data): Promise of an errno, 0 when it was done.
static napi_value start_mount(napi_env env, napi_callback_info info) {
  napi_value args[5];
  size_t count = 5;
  mount_job *job = calloc(1, sizeof *job);
  if (job == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok) {
    free(job);
    throw_errno(env, ENOMEM, "mount");
    return NULL;
  }
  bool complete = count == 5 && napi_get_value_int32(env, args[3], &job->flags) == napi_ok;
  job->mounting = true;
  if (complete) {
    job->source = copy_string(env, args[0]);
    job->target = copy_string(env, args[1]);
    job->type = copy_string(env, args[2]);
    job->data = copy_string(env, args[4]);
    complete = job->source && job->target && job->type && job->data;
  }
  return queue_job(env, job, complete);
}

// unmount(target, flags): Promise of an errno, 0 when it was done.
static napi_value start_unmount(napi_env env, napi_callback_info info) {
  napi_value args[2];
  size_t count = 2;
  mount_job *job = calloc(1, sizeof *job);
  if (job == NULL || napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok) {
    free(job);
    throw_errno(env, ENOMEM, "unmount");
    return NULL;
  }
  bool complete = count == 2 && napi_get_value_int32(env, args[1], &job->flags) == napi_ok;
  if (complete) {
    job->target = copy_string(env, args[0]);
    complete = job->target != NULL;
  }
  return queue_job(env, job, complete);
}

// socketPair(): [ours, theirs], both close-on-exec (spawn clears that of the one it hands over).
static napi_value socket_pair(napi_env env, napi_callback_info info) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw_errno(env, errno, "socketpair");
    return NULL;
  }
  napi_value result, end;
  if (napi_create_array_with_length(env, 2, &result) != napi_ok) return NULL;
  for (uint32_t i = 0; i < 2; i++) {
    napi_create_int32(env, ends[i], &end);
    napi_set_element(env, result, i, end);
  }
  return result;
}

// receiveDescriptor(socket): the descriptor that waits there, or -1 when there is none.
static napi_value receive_descriptor(napi_env env, napi_callback_info info) {
  napi_value args[1], result;
  size_t count = 1;
  int32_t sock;
  if (napi_get_cb_info(env, info, &count, args, NULL, NULL) != napi_ok || count != 1 ||
      napi_get_value_int32(env, args[0], &sock) != napi_ok) {
    throw_errno(env, EINVAL, "expected a descriptor");
    return NULL;
  }
  char byte;
  struct iovec data = {.iov_base = &byte, .iov_len = 1};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control};
  int fd = -1;
  if (recvmsg(sock, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0) {
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
      memcpy(&fd, CMSG_DATA(header), sizeof fd);
    }
  }
  return napi_create_int32(env, fd, &result) == napi_ok ? result : NULL;
}

bool define_mount_functions(napi_env env, napi_value exports) {
  return define_function(env, exports, "mount", start_mount, NULL) &&
         define_function(env, exports, "unmount", start_unmount, NULL) &&
         define_function(env, exports, "socketPair", socket_pair, NULL) &&
         define_function(env, exports, "receiveDescriptor", receive_descriptor, NULL);
}
