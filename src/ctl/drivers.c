// SPDX-License-Identifier: GPL-2.0
/*
 * How network drivers refill their receive rings, by the source of Linux 6.1.
 *
 * Only allocations with __GFP_MEMALLOC may use the emergency reserves.
 * dev_alloc_pages() sets it; netdev_alloc_skb() and napi_alloc_skb() set it
 * while a SOCK_MEMALLOC socket exists. page_pool, netdev_alloc_frag() and
 * alloc_page(GFP_ATOMIC) do not. A driver that does both is listed by what it
 * does for packets of 1,500 bytes.
 */
#include "drivers.h"

#include <stddef.h>
#include <string.h>

#include "ballastctl.h"

static const struct {
	const char *driver;	/* as in /sys/class/net/IFACE/device/driver */
	enum refill refill;
} drivers[] = {
	/* skb_page_frag_refill(GFP_ATOMIC) */
	{ "virtio_net", REFILL_PLAIN },
	/* page_pool */
	{ "mlx5_core", REFILL_PLAIN },
	{ "bnxt_en", REFILL_PLAIN },
	{ "mvneta", REFILL_PLAIN },
	{ "mvpp2", REFILL_PLAIN },
	{ "hns3", REFILL_PLAIN },
	{ "netsec", REFILL_PLAIN },
	{ "stmmaceth", REFILL_PLAIN },
	{ "vif", REFILL_PLAIN },	/* xen-netfront */
	/* alloc_page() or kmalloc() with GFP_ATOMIC */
	{ "gve", REFILL_PLAIN },
	{ "bnx2", REFILL_PLAIN },
	{ "bnx2x", REFILL_PLAIN },
	{ "r8152", REFILL_PLAIN },
	/* netdev_alloc_frag(), napi_alloc_frag() */
	{ "e1000", REFILL_PLAIN },
	{ "tg3", REFILL_PLAIN },
	/* usbnet: the buffer may use the reserves, its URB may not */
	{ "asix", REFILL_PLAIN },
	{ "ax88179_178a", REFILL_PLAIN },
	{ "cdc_ether", REFILL_PLAIN },
	{ "cdc_ncm", REFILL_PLAIN },
	{ "smsc95xx", REFILL_PLAIN },
	/* dev_alloc_pages() */
	{ "atlantic", REFILL_RESERVES },
	{ "ena", REFILL_RESERVES },
	{ "fm10k", REFILL_RESERVES },
	{ "i40e", REFILL_RESERVES },
	{ "iavf", REFILL_RESERVES },
	{ "ice", REFILL_RESERVES },
	{ "igb", REFILL_RESERVES },
	{ "igc", REFILL_RESERVES },
	{ "ixgbe", REFILL_RESERVES },
	{ "ixgbevf", REFILL_RESERVES },
	/* sets __GFP_MEMALLOC itself */
	{ "mlx4_core", REFILL_RESERVES },
	/* netdev_alloc_skb(), napi_alloc_skb() */
	{ "8139cp", REFILL_RESERVES },
	{ "8139too", REFILL_RESERVES },
	{ "bcmgenet", REFILL_RESERVES },
	{ "e1000e", REFILL_RESERVES },
	{ "hv_netvsc", REFILL_RESERVES },
	{ "lan78xx", REFILL_RESERVES },
	{ "macb", REFILL_RESERVES },
	{ "r8169", REFILL_RESERVES },
	{ "vmxnet3", REFILL_RESERVES },
};

enum refill driver_refill(const char *driver)
{
	size_t i;

	/* variants of stmmac: rk_gmac-dwmac, dwmac-sun8i and many more */
	if (strstr(driver, "dwmac"))
		return REFILL_PLAIN;
	for (i = 0; i < ARRAY_SIZE(drivers); i++)
		if (!strcmp(driver, drivers[i].driver))
			return drivers[i].refill;
	return REFILL_UNKNOWN;
}
