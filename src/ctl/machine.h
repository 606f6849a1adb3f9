/* SPDX-License-Identifier: GPL-2.0 */
/* What distinguishes this machine from others that have the same files. */
#ifndef BALLASTCTL_MACHINE_H
#define BALLASTCTL_MACHINE_H

#include <net/if.h>
#include <stdbool.h>
#include <sys/socket.h>

#define MACHINE_ID_LEN	33
#define MACHINE_HOST_LEN 65
#define MACHINE_MAC_LEN	18

/*
 * The machine id: systemd.machine_id= on the kernel's command line, in each form
 * that systemd accepts, or else /etc/machine-id. False: there is none yet, or
 * the parameter has another form. The file does not count in an initramfs: it
 * is a copy, which all machines that boot this initramfs share.
 */
bool machine_id(char id[MACHINE_ID_LEN]);

/*
 * Whether this machine's initramfs attaches disks, by rd.ballast=, without
 * knowing the machine id.
 */
bool machine_initramfs_lacks_id(void);

/* The firmware's UUID, in the same form. False: there is none. */
bool machine_firmware(char id[MACHINE_ID_LEN]);

/* The host name. False: it is a default, such as localhost. */
bool machine_host(char host[MACHINE_HOST_LEN]);

/*
 * The interface of the route to @server, and its MAC in the form
 * 52-54-00-12-34-56. False: there is no route, or the interface has no MAC;
 * @interface is then empty, or the interface.
 */
bool machine_mac(const struct sockaddr *server, char interface[IF_NAMESIZE],
		 char mac[MACHINE_MAC_LEN]);

#endif
