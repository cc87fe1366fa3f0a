// Writes cache invalidations from a thread of its own: the kernel takes inode and page locks for
// them, and a request that waits for the JavaScript thread may hold the same locks.
#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// 4 MiB of queue with names of usual length; one that long means the kernel has stopped listening.
#define MAX_MESSAGES 65536

typedef struct message {
  struct message *next;
  size_t length;
  char bytes[];
} message;

struct notifier {
  pthread_mutex_t lock;
  pthread_cond_t filled;
  message *first;
  message **last;
  size_t count;
  int fd;
  bool started;
  bool abandoned;
};

notifier *notifier_create(int fd) {
  notifier *self = calloc(1, sizeof *self);
  if (self == NULL) return NULL;
  self->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (self->fd < 0) {
    free(self);
    return NULL;
  }
  pthread_mutex_init(&self->lock, NULL);
  pthread_cond_init(&self->filled, NULL);
  self->last = &self->first;
  return self;
}

static void destroy(notifier *self) {
  while (self->first != NULL) {
    message *next = self->first->next;
    free(self->first);
    self->first = next;
  }
  if (self->fd >= 0) close(self->fd);
  pthread_cond_destroy(&self->filled);
  pthread_mutex_destroy(&self->lock);
  free(self);
}

static void *run(void *argument) {
  notifier *self = argument;
  pthread_mutex_lock(&self->lock);
  while (!self->abandoned) {
    message *taken = self->first;
    if (taken == NULL) {
      pthread_cond_wait(&self->filled, &self->lock);
      continue;
    }
    self->first = taken->next;
    if (self->first == NULL) self->last = &self->first;
    self->count--;
    pthread_mutex_unlock(&self->lock);
    // ENOENT says that the kernel doesn't know the inode or name: nothing to invalidate.
    while (write(self->fd, taken->bytes, taken->length) < 0 && errno == EINTR) continue;
    free(taken);
    pthread_mutex_lock(&self->lock);
  }
  pthread_mutex_unlock(&self->lock);
  destroy(self);
  return NULL;
}

static bool start(notifier *self) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 128 * 1024);
  // Signals are the business of the threads that Node started.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  pthread_t thread;
  self->started = pthread_create(&thread, &attributes, run, self) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return self->started;
}

bool notifier_push(notifier *self, const void *bytes, size_t length) {
  message *added = malloc(sizeof *added + length);
  if (added == NULL) return false;
  added->next = NULL;
  added->length = length;
  memcpy(added->bytes, bytes, length);
  pthread_mutex_lock(&self->lock);
  bool accepted = self->count < MAX_MESSAGES && (self->started || start(self));
  if (accepted) {
    *self->last = added;
    self->last = &added->next;
    self->count++;
    pthread_cond_signal(&self->filled);
  }
  pthread_mutex_unlock(&self->lock);
  if (!accepted) free(added);
  return accepted;
}

void notifier_abandon(notifier *self) {
  pthread_mutex_lock(&self->lock);
  self->abandoned = true;
  bool started = self->started;
  pthread_cond_signal(&self->filled);
  pthread_mutex_unlock(&self->lock);
  if (!started) destroy(self);
}
