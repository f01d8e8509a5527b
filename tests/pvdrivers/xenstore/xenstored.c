/* A hypervisor for C xenstored to start on a machine without Xen: it says that every domain lives, maps the file
 * RUNDIR/DOMID where a domain's ring page is asked for, and takes each byte in the FIFO RUNDIR/events for an event.
 *
 * Preloaded (LD_PRELOAD) in place of the libraries that xenstored's xenstored_domain.c calls.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define VIRQ_PORT 1000
#define PAGE 4096

static int something;

static int open_beside(const char *name, int flags)
{
	char path[4096];
	int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");

	snprintf(path, sizeof(path), "%s/%s", getenv("XENSTORED_RUNDIR"), name);
	return real_open(path, flags);
}

/* /proc/xen/xsd_kva is domain 0's ring; xsd_port is read from the same file: its zeros are port 0. */
int open(const char *path, int flags, ...)
{
	int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
	va_list arguments;
	mode_t mode;

	if (strstr(path, "/xsd_"))
		return open_beside("0", flags);
	va_start(arguments, flags);
	mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return real_open(path, flags, mode);
}

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *builder, unsigned flags)
{
	return (xc_interface *)&something;
}

int xc_interface_close(xc_interface *xch)
{
	return 0;
}

int xc_domain_getinfo(xc_interface *xch, uint32_t first, unsigned int max, xc_dominfo_t *info)
{
	memset(info, 0, sizeof(*info));
	info->domid = first;
	return 1;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned flags)
{
	return (xengnttab_handle *)&something;
}

int xengnttab_close(xengnttab_handle *xgt)
{
	return 0;
}

int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
	return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
	char name[16];
	void *page;
	int fd;

	snprintf(name, sizeof(name), "%u", domid);
	fd = open_beside(name, O_RDWR);
	page = mmap(NULL, PAGE, prot, MAP_SHARED, fd, 0);
	close(fd);
	return page == MAP_FAILED ? NULL : page;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
	return munmap(start_address, PAGE);
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	return (xenevtchn_handle *)&something;
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	static int fd = -1;

	if (fd < 0)
		fd = open_beside("events", O_RDWR | O_NONBLOCK);
	return fd;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
	char byte;

	return read(xenevtchn_fd(xce), &byte, 1) == 1 ? 1 : -1;
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	return 0;
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid, evtchn_port_t remote_port)
{
	return domid + 1;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned int virq)
{
	return VIRQ_PORT;
}

int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port)
{
	return 0;
}
