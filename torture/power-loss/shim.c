/*
 * Writes down every change that a process makes below one directory, and every time it asks the disk to keep
 * something: disk.ts makes of that what a power loss would have left. Loaded with LD_PRELOAD; told by the environment:
 *
 *   TORTURE_DISK       the directory
 *   TORTURE_LOG        the file to write to; none: nothing is written down
 *   TORTURE_CUT        the process ends itself by SIGKILL in front of its n-th change; 0: never
 *   TORTURE_BOOT_ID    a file to be read instead of the kernel's boot id
 *   TORTURE_READ_ONLY  while this file is there, the directory is on a disk that may only be read
 *
 * Such a disk refuses, with EROFS, what ext4 refuses after it has found an error (`mount -o remount,abort`, Linux 6.18):
 * every change and sync, and to open a file for writing; access(2) allows all the same, and so does mmap.
 *
 * A record: its kind (4 bytes), length of the path (4), length of the data (4), nothing (4), inode (8), number (8);
 * then the path and the data. Changes through mmap are not seen: SQLite uses it for its -shm file alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPENED = 1, WRITTEN, TRUNCATED, SYNCED, RENAMED, UNLINKED, MADE_DIRECTORY };

struct record {
  uint32_t kind, path_length, data_length, nothing;
  uint64_t inode, number;
};

#define MOST_FILES 65536
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static char directory[PATH_MAX];
static size_t directory_length;
static const char *boot_id, *read_only;
static int log_file = -1;
static pid_t owner;
static uint64_t records, changes, cut;
static struct { dev_t device; ino_t inode; } tracked[MOST_FILES];

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
  const char *disk = getenv("TORTURE_DISK"), *log = getenv("TORTURE_LOG"), *at = getenv("TORTURE_CUT");
  boot_id = getenv("TORTURE_BOOT_ID");
  read_only = getenv("TORTURE_READ_ONLY");
  if (disk == NULL) return;
  snprintf(directory, sizeof directory, "%s", disk);
  directory_length = strlen(directory);
  cut = at == NULL ? 0 : strtoull(at, NULL, 10);
  if (log != NULL) log_file = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  owner = getpid();
}

/* Between fork and exec nothing is ours. */
static int is_ours(void) { return directory_length > 0 && getpid() == owner; }

static int is_below(const char *path) {
  return strncmp(path, directory, directory_length) == 0 && (path[directory_length] == '/' || path[directory_length] == 0);
}

/* The whole path of a name; answers whether it is below the directory. */
static int find(int at, const char *name, char *path) {
  if (name == NULL || !is_ours()) return 0;
  if (name[0] == '/') {
    if (snprintf(path, PATH_MAX, "%s", name) >= PATH_MAX) return 0;
  } else {
    char base[PATH_MAX], link[64];
    if (at == AT_FDCWD) {
      if (getcwd(base, sizeof base) == NULL) return 0;
    } else {
      snprintf(link, sizeof link, "/proc/self/fd/%d", at);
      ssize_t length = readlink(link, base, sizeof base - 1);
      if (length < 0) return 0;
      base[length] = 0;
    }
    if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
  }
  for (size_t end = strlen(path); end > 1 && path[end - 1] == '/'; end -= 1) path[end - 1] = 0;
  return is_below(path);
}

/* Whether the disk may only be read now; then that is the error. */
static int is_refused(void) {
  int before = errno;
  int is = read_only != NULL && access(read_only, F_OK) == 0;
  errno = is ? EROFS : before;
  return is;
}

/* Holds everybody else until the change is made and written down. */
static void enter(void) {
  pthread_mutex_lock(&one_at_a_time);
  changes += 1;
  if (cut != 0 && changes == cut) kill(owner, SIGKILL);
}
static void leave(void) { pthread_mutex_unlock(&one_at_a_time); }

static void note(enum kind kind, uint64_t inode, uint64_t number, const char *path, const void *data, size_t length) {
  if (log_file < 0) return;
  int before = errno;
  struct record head = {kind, path == NULL ? 0 : strlen(path), length, 0, inode, number};
  struct iovec parts[] = {{&head, sizeof head}, {(void *)path, head.path_length}, {(void *)data, length}};
  if (REAL(writev)(log_file, parts, 3) != (ssize_t)(sizeof head + head.path_length + length)) abort();
  records += 1;
  errno = before;
}

static uint64_t inode_of(int file) {
  struct stat found;
  return fstat(file, &found) == 0 ? found.st_ino : 0;
}
static int is_there(const char *path) {
  struct stat found;
  return lstat(path, &found) == 0;
}
/* By its inode, since libuv closes without a call that could be seen, and the number is given again. */
static void track(int file) {
  struct stat found;
  if (file >= MOST_FILES || fstat(file, &found) != 0) return;
  tracked[file].device = found.st_dev;
  tracked[file].inode = found.st_ino;
}
static int is_tracked(int file) {
  struct stat found;
  return file >= 0 && file < MOST_FILES && tracked[file].inode != 0 && is_ours() && fstat(file, &found) == 0 &&
         found.st_ino == tracked[file].inode && found.st_dev == tracked[file].device;
}

/* ---- opening ---- */

static int opened(int at, const char *name, int flags, mode_t mode, int (*how)(int, const char *, int, mode_t)) {
  char path[PATH_MAX];
  if (boot_id != NULL && name != NULL && strcmp(name, "/proc/sys/kernel/random/boot_id") == 0)
    return how(AT_FDCWD, boot_id, flags, mode);
  if (!find(at, name, path)) return how(at, name, flags, mode);
  struct stat before;
  int exists = stat(path, &before) == 0, is_file = exists && S_ISREG(before.st_mode);
  if ((exists ? is_file && (flags & O_ACCMODE) != O_RDONLY : flags & O_CREAT) && is_refused()) return -1;
  if (flags & (O_CREAT | O_TRUNC)) enter();
  else pthread_mutex_lock(&one_at_a_time);
  int is_new = (flags & O_CREAT) && stat(path, &before) != 0;
  int file = how(at, name, flags, mode);
  if (file >= 0) {
    track(file);
    note(OPENED, inode_of(file), is_new, path, NULL, 0);
    if (!is_new && (flags & O_TRUNC)) note(TRUNCATED, inode_of(file), 0, NULL, NULL, 0);
  }
  leave();
  return file;
}

static int open_plain(int at, const char *name, int flags, mode_t mode) { (void)at; return REAL(open)(name, flags, mode); }
static int open_large(int at, const char *name, int flags, mode_t mode) { (void)at; return REAL(open64)(name, flags, mode); }
static int open_at(int at, const char *name, int flags, mode_t mode) { return REAL(openat)(at, name, flags, mode); }
static int open_at_large(int at, const char *name, int flags, mode_t mode) { return REAL(openat64)(at, name, flags, mode); }

static mode_t mode_in(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; }
#define WITH_MODE(flags) \
  va_list rest; \
  va_start(rest, flags); \
  mode_t mode = mode_in(flags, rest); \
  va_end(rest)

int open(const char *name, int flags, ...) { WITH_MODE(flags); return opened(AT_FDCWD, name, flags, mode, open_plain); }
int open64(const char *name, int flags, ...) { WITH_MODE(flags); return opened(AT_FDCWD, name, flags, mode, open_large); }
int openat(int at, const char *name, int flags, ...) { WITH_MODE(flags); return opened(at, name, flags, mode, open_at); }
int openat64(int at, const char *name, int flags, ...) { WITH_MODE(flags); return opened(at, name, flags, mode, open_at_large); }

/* ---- changing what is in a file ---- */

static void written(int file, off_t at, const void *data, ssize_t length) {
  if (length > 0) note(WRITTEN, inode_of(file), at, NULL, data, length);
}

ssize_t write(int file, const void *data, size_t length) {
  if (!is_tracked(file)) return REAL(write)(file, data, length);
  if (is_refused()) return -1;
  enter();
  ssize_t done = REAL(write)(file, data, length);
  if (done > 0) written(file, lseek(file, 0, SEEK_CUR) - done, data, done);
  leave();
  return done;
}

static ssize_t written_at(int file, const void *data, size_t length, off_t at) {
  if (is_refused()) return -1;
  enter();
  ssize_t done = REAL(pwrite)(file, data, length, at);
  written(file, at, data, done);
  leave();
  return done;
}
ssize_t pwrite(int file, const void *data, size_t length, off_t at) {
  return is_tracked(file) ? written_at(file, data, length, at) : REAL(pwrite)(file, data, length, at);
}
ssize_t pwrite64(int file, const void *data, size_t length, off64_t at) {
  return is_tracked(file) ? written_at(file, data, length, at) : REAL(pwrite64)(file, data, length, at);
}

/* Several pieces are one after the other; a short write ends it, as it may. */
ssize_t writev(int file, const struct iovec *pieces, int count) {
  if (!is_tracked(file)) return REAL(writev)(file, pieces, count);
  ssize_t all = 0;
  for (int piece = 0; piece < count; piece += 1) {
    ssize_t done = write(file, pieces[piece].iov_base, pieces[piece].iov_len);
    if (done < 0) return all > 0 ? all : done;
    all += done;
    if ((size_t)done < pieces[piece].iov_len) break;
  }
  return all;
}
static ssize_t pieces_at(int file, const struct iovec *pieces, int count, off_t at) {
  ssize_t all = 0;
  for (int piece = 0; piece < count; piece += 1) {
    ssize_t done = written_at(file, pieces[piece].iov_base, pieces[piece].iov_len, at + all);
    if (done < 0) return all > 0 ? all : done;
    all += done;
    if ((size_t)done < pieces[piece].iov_len) break;
  }
  return all;
}
ssize_t pwritev(int file, const struct iovec *pieces, int count, off_t at) {
  return is_tracked(file) ? pieces_at(file, pieces, count, at) : REAL(pwritev)(file, pieces, count, at);
}
ssize_t pwritev64(int file, const struct iovec *pieces, int count, off64_t at) {
  return is_tracked(file) ? pieces_at(file, pieces, count, at) : REAL(pwritev64)(file, pieces, count, at);
}

static int truncated(int file, off_t length) {
  if (is_refused()) return -1;
  enter();
  int failed = REAL(ftruncate)(file, length);
  if (!failed) note(TRUNCATED, inode_of(file), length, NULL, NULL, 0);
  leave();
  return failed;
}
int ftruncate(int file, off_t length) { return is_tracked(file) ? truncated(file, length) : REAL(ftruncate)(file, length); }
int ftruncate64(int file, off64_t length) { return is_tracked(file) ? truncated(file, length) : REAL(ftruncate64)(file, length); }

/* What would not be seen is refused: the program then writes. */
int fallocate(int file, int mode, off_t at, off_t length) {
  return is_tracked(file) ? (errno = EOPNOTSUPP, -1) : REAL(fallocate)(file, mode, at, length);
}
int fallocate64(int file, int mode, off64_t at, off64_t length) {
  return is_tracked(file) ? (errno = EOPNOTSUPP, -1) : REAL(fallocate64)(file, mode, at, length);
}

/* ---- keeping ---- */

/* Only what was written before it began is kept for certain. */
static int synced(int file, int (*how)(int)) {
  if (!is_tracked(file)) return how(file);
  if (is_refused()) return -1;
  enter();
  uint64_t so_far = records;
  leave();
  int failed = how(file);
  pthread_mutex_lock(&one_at_a_time);
  if (!failed) note(SYNCED, inode_of(file), so_far, NULL, NULL, 0);
  leave();
  return failed;
}
int fsync(int file) { return synced(file, REAL(fsync)); }
int fdatasync(int file) { return synced(file, REAL(fdatasync)); }

/* ---- names ---- */

static int renamed(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
  char one[PATH_MAX], other[PATH_MAX];
  int (*how)(int, const char *, int, const char *, unsigned) = REAL(renameat2);
  int is_from = find(from_at, from, one), is_to = find(to_at, to, other);
  if (!is_from && !is_to) return how(from_at, from, to_at, to, flags);
  if (is_refused()) return -1;
  enter();
  int failed = how(from_at, from, to_at, to, flags);
  if (!failed) note(RENAMED, 0, 0, one, other, strlen(other));
  leave();
  return failed;
}
int rename(const char *from, const char *to) { return renamed(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_at, const char *from, int to_at, const char *to) { return renamed(from_at, from, to_at, to, 0); }
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
  return renamed(from_at, from, to_at, to, flags);
}

static int unlinked(int at, const char *name, int flags) {
  char path[PATH_MAX];
  if (!find(at, name, path)) return REAL(unlinkat)(at, name, flags);
  if (is_there(path) && is_refused()) return -1;
  enter();
  int failed = REAL(unlinkat)(at, name, flags);
  if (!failed) note(UNLINKED, 0, 0, path, NULL, 0);
  leave();
  return failed;
}
int unlink(const char *name) { return unlinked(AT_FDCWD, name, 0); }
int unlinkat(int at, const char *name, int flags) { return unlinked(at, name, flags); }
int rmdir(const char *name) { return unlinked(AT_FDCWD, name, AT_REMOVEDIR); }
int remove(const char *name) {
  struct stat found;
  return unlinked(AT_FDCWD, name, lstat(name, &found) == 0 && S_ISDIR(found.st_mode) ? AT_REMOVEDIR : 0);
}

static int made(int at, const char *name, mode_t mode) {
  char path[PATH_MAX];
  if (!find(at, name, path)) return REAL(mkdirat)(at, name, mode);
  if (!is_there(path) && is_refused()) return -1;
  enter();
  int failed = REAL(mkdirat)(at, name, mode);
  struct stat found;
  if (!failed && stat(path, &found) == 0) note(MADE_DIRECTORY, found.st_ino, 0, path, NULL, 0);
  leave();
  return failed;
}
int mkdir(const char *name, mode_t mode) { return made(AT_FDCWD, name, mode); }
int mkdirat(int at, const char *name, mode_t mode) { return made(at, name, mode); }
