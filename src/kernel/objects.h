/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Objects that sysfs may refer to after their end. The module stays until
 * the last of them is freed.
 */
#ifndef BALLAST_OBJECTS_H
#define BALLAST_OBJECTS_H

void ballast_object_get(void);
void ballast_object_put(void);
void ballast_objects_wait(void);

#endif /* BALLAST_OBJECTS_H */
