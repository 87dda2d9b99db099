#!/bin/sh
# in-debian.sh ROOT FOLDER: runs systemd in a copy of the Debian at ROOT, as a machine of its own on the caller's network.
#
# What is written there lives in memory over ROOT, which stays as it is, and ends with systemd. Needs root.
set -eu
[ $# = 2 ] || { echo "usage: in-debian.sh ROOT FOLDER" >&2; exit 64; }

if [ "${ROOMGATE_DEBIAN:-}" != inside ]; then
    # In a control group of its own, where the caller may make one: systemd wants to be alone in it, and leaves groups behind.
    groups=$(findmnt --noheadings --types cgroup2 --output TARGET | head -n 1)
    own=$groups$(sed -n 's/^0:://p' /proc/self/cgroup)/roomgate-debian
    { mkdir -p "$own" && echo $$ > "$own/cgroup.procs"; } 2>/dev/null || :
    ROOMGATE_DEBIAN=inside exec unshare --mount --pid --cgroup --uts --ipc --fork --kill-child "$0" "$@"
fi

mount -t tmpfs tmpfs "$2"
mkdir "$2/written" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/written,workdir=$2/work" "$2/root"
cd "$2/root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/shm dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
hostname debian
echo debian > etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 debian\n' > etc/hosts
mkdir outside
pivot_root . outside
umount -l /outside
rmdir /outside
# Mounts for one service (credentials) are made elsewhere and have to arrive.
mount --make-rshared /
exec env -i container=roomgate PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
