/* A compiler that costs (next to) nothing: what is measured with it is the engine. The first kernel of each
 * kind is compiled really; of the others, the object is that one with the entry's symbol exchanged. Several
 * kernels in one call become functions that only return, by the assembler. All questions, and links that need
 * a driver, go to the real compiler.
 *
 * REAL is the real compiler's path; objects are kept beside this program. */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *after(char **argv, const char *word) {
  for (; *argv; ++argv)
    if (!strcmp(*argv, word)) return argv[1];
  return NULL;
}

static int has(char **argv, const char *word) {
  for (; *argv; ++argv)
    if (!strcmp(*argv, word)) return 1;
  return 0;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* The whole file, with a zero behind it; NULL if there is none. */
static char *slurp(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file) return NULL;
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char *bytes = malloc(*size + 1);
  if (!bytes || fread(bytes, 1, *size, file) != *size) fail(path);
  bytes[*size] = 0;
  fclose(file);
  return bytes;
}

static void spit(const char *path, const char *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, size, file) != size || fclose(file)) fail(path);
}

/* `dijitso_<name>_<64 hexadecimal digits>` in the unit; NULL if there is none. */
static char *symbol(const char *text) {
  for (const char *at = text; (at = strstr(at, "dijitso_")); ++at) {
    size_t length = 0;
    while (isalnum((unsigned char)at[length]) || at[length] == '_') ++length;
    size_t digits = 0;
    while (digits < length && isxdigit((unsigned char)at[length - 1 - digits])) ++digits;
    if (digits == 64 && at[length - 65] == '_') return strndup(at, length);
  }
  return NULL;
}

/* Runs the real compiler with these arguments and waits for it. */
static void run(char **argv) {
  pid_t child = vfork();
  if (child == 0) {
    execv(REAL, argv);
    _exit(127);
  }
  int status;
  if (child < 0 || waitpid(child, &status, 0) < 0) fail(REAL);
  if (!WIFEXITED(status) || WEXITSTATUS(status)) exit(1);
}

/* A file that only includes units: an object with a function for each of them. */
static void pack(const char *text, const char *input, const char *output, const char *depfile) {
  char assembly[4200];
  snprintf(assembly, sizeof assembly, "%s.s", output);
  FILE *file = fopen(assembly, "wb");
  FILE *rule = depfile ? fopen(depfile, "wb") : NULL;
  if (!file || (depfile && !rule)) fail(output);
  if (rule) fprintf(rule, "%s: %s", output, input);
  for (const char *at = text; (at = strstr(at, "#include \"")); ++at) {
    char path[4200];
    size_t size;
    snprintf(path, sizeof path, "%.*s", (int)strcspn(at + 10, "\""), at + 10);
    char *unit = slurp(path, &size), *name = unit ? symbol(unit) : NULL;
    if (!name) fail(path);
    if (rule) fprintf(rule, " %s", path);
    fprintf(file, ".section .text.%s,\"ax\"\n.globl %s\n.type %s,%%function\n%s: ret\n", name, name, name, name);
  }
  fprintf(file, ".section .note.GNU-stack,\"\"\n");
  if (rule) fprintf(rule, "\n");
  if (fclose(file) || (rule && fclose(rule))) fail(output);
  execlp("as", "as", "-o", output, assembly, (char *)NULL);
  fail("as");
}

int main(int argc, char **argv) {
  (void)argc;
  /* The real compiler finds its parts by the name that it is called by. */
  argv[0] = REAL;
  char *input = after(argv, "-c"), *output = after(argv, "-o"), *depfile = after(argv, "-MF");
  if (!input || !output || has(argv, "-###")) {
    execv(REAL, argv);
    fail(REAL);
  }
  size_t size;
  char *unit = slurp(input, &size);
  if (!unit) fail(input);
  char *name = symbol(unit);
  if (!name) pack(unit, input, output, depfile);

  /* One object for each kind of kernel, which is the first letter of its name. */
  char own[4096], object[4200], key[4200];
  ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
  if (length < 0) fail("/proc/self/exe");
  own[length] = 0;
  snprintf(object, sizeof object, "%s.%c.o", own, name[strlen("dijitso_")]);
  snprintf(key, sizeof key, "%s.%c.key", own, name[strlen("dijitso_")]);

  char *old = slurp(key, &size);
  if (!old) {
    run(argv);
    char *bytes = slurp(output, &size);
    if (!bytes) fail(output);
    spit(object, bytes, size);
    spit(key, name, strlen(name));
    return 0;
  }
  char *bytes = slurp(object, &size);
  if (!bytes || strlen(old) != strlen(name)) fail(object);
  for (char *at = bytes; (at = memmem(at, size - (size_t)(at - bytes), old, strlen(old))); at += strlen(old))
    memcpy(at, name, strlen(name));
  spit(output, bytes, size);
  if (depfile) {
    FILE *file = fopen(depfile, "wb");
    if (!file) fail(depfile);
    fprintf(file, "%s: %s\n", output, input);
    fclose(file);
  }
  return 0;
}
