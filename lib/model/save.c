/*
 * model: writing a directory whole.
 *
 * Everything goes into a fresh directory beside the target.  Only when all
 * of it is on disk do the two exchange names, in one step where the file
 * system can (renameat2), and what stood there before is taken away.
 */
#include "model/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two names into one, for the caller to free. */
static char *join(const char *a, const char *b)
{
	struct rm_buf s = {0};

	rm_buf_printf(&s, "%s%s", a, b);
	return rm_buf_text(&s);
}

/* ---- what stands at the target ---- */

enum target {
	TARGET_NONE,		/* nothing, or an empty directory */
	TARGET_MODEL,		/* a model directory, and nothing else in it */
	TARGET_OTHER		/* something that is not ours */
};

static bool is_tokenizer(const char *name)
{
	for (size_t i = 0; rm_model_tokenizer_names[i]; i++) {
		if (strcmp(name, rm_model_tokenizer_names[i]) == 0)
			return true;
	}
	return false;
}

static bool is_ours(const char *name)
{
	return strcmp(name, RM_MODEL_CONFIG) == 0 ||
	       strcmp(name, RM_MODEL_WEIGHTS) == 0 ||
	       strcmp(name, RM_MODEL_RM) == 0 || is_tokenizer(name);
}

/* The names in it decide; *other is one that is not ours. */
static enum target look_inside(DIR *d, char *other, size_t size)
{
	struct dirent *e;
	bool any = false, marked = false;

	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		any = true;
		marked |= strcmp(e->d_name, RM_MODEL_RM) == 0;
		if (!is_ours(e->d_name)) {
			snprintf(other, size, "%s", e->d_name);
			return TARGET_OTHER;
		}
	}
	if (any && !marked)
		snprintf(other, size, "no %s", RM_MODEL_RM);
	return !any ? TARGET_NONE : marked ? TARGET_MODEL : TARGET_OTHER;
}

static int look(const char *dir, enum target *target, char *other,
		size_t size)
{
	struct stat st;
	DIR *d;

	*target = TARGET_NONE;
	if (lstat(dir, &st) < 0)
		return errno == ENOENT ? 0 :
			rm_fail("%s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode)) {
		*target = TARGET_OTHER;
		snprintf(other, size, "not a directory");
		return 0;
	}
	d = opendir(dir);
	if (!d)
		return rm_fail("%s: %s", dir, strerror(errno));
	*target = look_inside(d, other, size);
	closedir(d);
	return 0;
}

/*
 * The target without trailing slashes and, where it exists, without links,
 * so that a link keeps pointing at the model.  The caller frees it.
 */
static char *resolve(const char *dir)
{
	size_t n = strlen(dir);
	char *path, *real;

	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (n == 0)
		return rm_fail_null("the model needs a name");
	path = rm_strndup(dir, n);
	real = path ? realpath(path, NULL) : NULL;
	if (!real)
		return path;
	free(path);
	return real;
}

static int check_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *parent = !slash ? rm_strdup(".") :
		rm_strndup(path, slash == path ? 1 : (size_t)(slash - path));
	int status = 0;

	if (!parent)
		return -1;
	if (access(parent, W_OK | X_OK) < 0)
		status = rm_fail("%s: cannot write beside it: %s: %s", path,
				 parent, strerror(errno));
	free(parent);
	return status;
}

/* --force moves what is not ours to path~: there must be room. */
static int check_aside(const char *path)
{
	char *aside = join(path, "~");
	struct stat st;
	int status = 0;

	if (!aside)
		return -1;
	if (lstat(aside, &st) == 0)
		status = rm_fail("%s: cannot be moved aside: %s exists", path,
				 aside);
	free(aside);
	return status;
}

static int check_target(const char *path, bool force, enum target *target)
{
	char other[300] = "";

	if (check_parent(path) < 0 ||
	    look(path, target, other, sizeof(other)) < 0)
		return -1;
	if (*target == TARGET_OTHER && !force)
		return rm_fail("%s: not a model directory alone (%s): not "
			       "replaced without --force", path, other);
	return *target == TARGET_OTHER ? check_aside(path) : 0;
}

int rm_model_check_target(const char *dir, bool force)
{
	enum target target;
	char *path = resolve(dir);
	int status = path ? check_target(path, force, &target) : -1;

	free(path);
	return status;
}

/* ---- writing the files ---- */

static int write_json(const char *dir, const char *name, const json_t *value)
{
	char *path = rm_model_path(dir, name);
	struct rm_buf b = {0};
	int status = -1;

	rm_json_print_typed(&b, value);
	rm_buf_putc(&b, '\n');
	if (path && !b.failed)
		status = rm_write_file(path, b.data, b.len);
	rm_buf_fini(&b);
	free(path);
	return status;
}

static int write_tokenizer(const char *dir, const struct rm_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		const struct rm_file *f = &files->file[i];
		char *path;
		int status;

		/* A stream names the files: no path of its own choosing. */
		if (!is_tokenizer(f->name))
			return rm_fail("the tokenizer holds a file \"%s\" "
				       "that a model directory has no place "
				       "for", f->name);
		path = rm_model_path(dir, f->name);
		status = path ? rm_write_file(path, f->data, f->len) : -1;
		free(path);
		if (status < 0)
			return -1;
	}
	return 0;
}

static json_t *rm_json_of(const struct rm_model *m,
			  const struct rm_model_tensors *t)
{
	json_t *rm, *fps = rm_model_fingerprints(m, t);

	if (!fps)
		return NULL;
	rm = json_pack("{s:s, s:i, s:O, s:O, s:s, s:O, s:O, s:O, s:o}",
		       "format", "rmtools-model", "version", RM_MODEL_VERSION,
		       "head", m->head_config, "objective", m->objective,
		       "pooling", m->pooling,
		       "policy", m->origin.policy,
		       "calibration", m->calibration,
		       "history", m->origin.history, "fingerprints", fps);
	return rm ? rm : rm_fail_null("out of memory");
}

static int write_weights(const char *dir, const struct rm_model_tensors *t)
{
	char *path = rm_model_path(dir, RM_MODEL_WEIGHTS);
	int status = path ? rm_safetensors_write(path, t->tensor, t->n, NULL, 0) :
		-1;

	free(path);
	return status;
}

static int write_files(const struct rm_model *m, const char *dir)
{
	struct rm_model_tensors t = {0};
	json_t *config = rm_model_config_json(m), *rm = NULL;
	int status = -1;

	if (config && rm_model_tensors_get(&t, m) == 0)
		rm = rm_json_of(m, &t);
	if (rm && write_json(dir, RM_MODEL_CONFIG, config) == 0 &&
	    write_tokenizer(dir, &m->origin.tokenizer) == 0 &&
	    write_weights(dir, &t) == 0 &&
	    write_json(dir, RM_MODEL_RM, rm) == 0)
		status = 0;
	rm_model_tensors_fini(&t);
	json_decref(config);
	json_decref(rm);
	return status;
}

/* ---- the exchange ---- */

/* Remove a directory of ours; what is not ours stays, and so does it. */
static void remove_model(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (is_ours(e->d_name) || strstr(e->d_name, ".tmp."))
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

/* A new directory beside the target, with the modes that mkdir gives. */
static char *make_temporary(const char *path)
{
	mode_t mask = umask(0);
	char *tmp = join(path, ".tmp.XXXXXX");

	umask(mask);
	if (!tmp)
		return NULL;
	if (!mkdtemp(tmp)) {
		rm_fail("%s: %s", path, strerror(errno));
		free(tmp);
		return NULL;
	}
	chmod(tmp, 0777 & ~mask);
	return tmp;
}

/*
 * tmp takes the name path; what stood there stands at tmp.  File systems
 * that cannot exchange need steps: between them path is missing, and the
 * earlier model is complete at path~.  On failure path is what it was, but
 * for the last step.
 */
static int exchange_by_steps(const char *tmp, const char *path,
			     const char *aside)
{
	if (rename(path, aside) < 0)
		return rm_fail("%s: %s", path, strerror(errno));
	if (rename(tmp, path) < 0) {
		rm_fail("%s: %s", path, strerror(errno));
		rename(aside, path);
		return -1;
	}
	if (rename(aside, tmp) < 0)
		return rm_fail("%s: written; the earlier one is left at %s: "
			       "%s", path, aside, strerror(errno));
	return 0;
}

static int exchange(const char *tmp, const char *path)
{
	char *aside;
	int status;

	if (renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return rm_fail("%s: %s", path, strerror(errno));
	aside = join(path, "~");
	status = aside ? exchange_by_steps(tmp, path, aside) : -1;
	free(aside);
	return status;
}

/* What is not ours is kept under another name, never deleted. */
static int move_aside(const char *tmp, const char *path)
{
	char *aside = join(path, "~");
	int status = 0;

	if (!aside)
		return -1;
	if (renameat2(AT_FDCWD, tmp, AT_FDCWD, aside, RENAME_NOREPLACE) < 0)
		status = rm_fail("%s: written; what stood there before is "
				 "left at %s: %s: %s", path, tmp, aside,
				 strerror(errno));
	free(aside);
	return status;
}

static int swap_in(const char *tmp, const char *path, enum target target)
{
	int status = 0;

	if (target == TARGET_NONE && rename(tmp, path) < 0)
		status = rm_fail("%s: %s", path, strerror(errno));
	else if (target != TARGET_NONE)
		status = exchange(tmp, path);
	if (status == 0 && target == TARGET_OTHER)
		return move_aside(tmp, path);
	/* The earlier model, or after a failure the new one. */
	if (status < 0 || target == TARGET_MODEL)
		remove_model(tmp);
	return status;
}

/* The names in a directory reach the disk only with the directory. */
static void sync_directory(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
}

int rm_model_save(const struct rm_model *m, const char *dir, bool force)
{
	enum target target;
	char *path = resolve(dir), *tmp = NULL;
	int status = -1;

	if (path && check_target(path, force, &target) == 0)
		tmp = make_temporary(path);
	if (tmp && write_files(m, tmp) == 0) {
		sync_directory(tmp);
		status = swap_in(tmp, path, target);
	} else if (tmp) {
		rm_wrap("%s is not written", path);
		remove_model(tmp);
	}
	free(tmp);
	free(path);
	return status;
}

int rm_model_save_calibration(const char *dir, const json_t *calibration)
{
	json_t *rm = rm_model_load_json(dir);
	int status = -1;

	if (rm && json_object_set(rm, "calibration",
				  (json_t *)calibration) < 0)
		rm_fail("out of memory");
	else if (rm)
		status = write_json(dir, RM_MODEL_RM, rm);
	json_decref(rm);
	return status;
}
