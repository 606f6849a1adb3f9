/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects with files in sysfs, which may refer to them after their end. So the
 * module waits on unload until the last of them is freed.
 */
#ifndef BALLAST_OBJECTS_H
#define BALLAST_OBJECTS_H

/* A file in a kobject's directory; the name is one of <ballast/limits.h>. */
#define BALLAST_ATTR(_name, _mode, _show, _store)          \
	{                                                  \
		.attr = { .name = _name, .mode = _mode },  \
		.show = _show,                             \
		.store = _store,                           \
	}

void ballast_object_get(void);
void ballast_object_put(void);
void ballast_objects_wait(void);

#endif /* BALLAST_OBJECTS_H */
