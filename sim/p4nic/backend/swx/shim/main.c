/* Starts DPDK once, then forks one process per pipeline.
 *
 * DPDK can be started once per process and takes a tenth of a second; a fork of the started process takes
 * milliseconds, and a crash takes only the fork. The heap must be private memory for that: DPDK takes it from
 * memfd_create, which is therefore made to fail, and then from an anonymous mapping.
 *
 * Usage: shim MEGABYTES DESCRIPTOR, the descriptor a socket (SOCK_SEQPACKET) to the parent. Requests on it:
 * "f" + a descriptor: fork a process that serves that socket; answer u32 pid.
 * "w" + u32 pid: wait for its end; answer i32 wait status, u32 progress.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_eal.h>

#include "shim.h"

#define MOST_CHILDREN 4096

volatile uint32_t *progress;

static int parent;

static struct {
	pid_t pid;
	volatile uint32_t *progress;
} children[MOST_CHILDREN];

int __wrap_memfd_create(const char *name, unsigned int flags);

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	(void)name;
	(void)flags;
	errno = ENOSYS;
	return -1;
}

static ssize_t ask(char *request, size_t room, int *descriptor)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {.iov_base = request, .iov_len = room};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control,
	};
	ssize_t n;
	struct cmsghdr *c;

	*descriptor = -1;
	do
		n = recvmsg(parent, &message, 0);
	while (n < 0 && errno == EINTR);
	c = CMSG_FIRSTHDR(&message);
	if (n > 0 && c && c->cmsg_type == SCM_RIGHTS)
		memcpy(descriptor, CMSG_DATA(c), sizeof(int));
	return n;
}

static void fork_one(int descriptor)
{
	uint32_t pid = 0;
	size_t i;

	for (i = 0; i < MOST_CHILDREN && children[i].pid; i++)
		;
	progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (i < MOST_CHILDREN && progress != MAP_FAILED && descriptor >= 0) {
		pid_t child = fork();

		if (child == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			close(parent);
			serve(descriptor);
			_exit(0);
		}
		if (child > 0) {
			children[i].pid = pid = child;
			children[i].progress = progress;
		}
	}
	close(descriptor);
	send(parent, &pid, sizeof pid, MSG_NOSIGNAL);
}

static void wait_for(uint32_t pid)
{
	struct {
		int32_t status;
		uint32_t progress;
	} answer = {-1, 0};
	size_t i;

	for (i = 0; i < MOST_CHILDREN; i++) {
		if (!pid || children[i].pid != (pid_t)pid)
			continue;
		while (waitpid(pid, &answer.status, 0) < 0 && errno == EINTR)
			;
		answer.progress = *children[i].progress;
		munmap((void *)(uintptr_t)children[i].progress, sizeof *progress);
		children[i].pid = 0;
	}
	send(parent, &answer, sizeof answer, MSG_NOSIGNAL);
}

int main(int argc, char **argv)
{
	char *eal[] = {
		"p4nic-swx", "--no-huge", "-m", "2048", "--no-pci", "--no-shconf",
		"--no-telemetry", "--lcores", "0@(0-1)", "--log-level", "lib.eal:error", NULL,
	};
	char request[16];
	int descriptor;

	if (argc != 3)
		return 2;
	eal[3] = argv[1];
	parent = atoi(argv[2]);
	/* One core or two: DPDK insists on being told, and refuses a core that is not there. */
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		eal[8] = "0@0";
	if (rte_eal_init(11, eal) < 0)
		return 1;
	if (send(parent, "ready", 5, MSG_NOSIGNAL) != 5)
		return 1;
	while (ask(request, sizeof request, &descriptor) > 0) {
		uint32_t pid;

		memcpy(&pid, request + 1, sizeof pid);
		if (request[0] == 'f')
			fork_one(descriptor);
		else
			wait_for(pid);
	}
	return 0;
}
