#!/bin/sh
# in-namespace.sh CMD [ARG...]: runs CMD in a network and process namespace of its own.
#
# Inside there is loopback and 10.77.0.1, an address that is not loopback (a browser treats http there as insecure, as in
# a real network), and no way out: no packet of a test can leave the machine, two tests can use the same ports at once,
# and everything that CMD started ends with it.
#
# Needs root, or a kernel that lets users make namespaces.
set -eu
[ $# -gt 0 ] || { echo "usage: in-namespace.sh CMD [ARG...]" >&2; exit 64; }

if [ "${ROOMGATE_NETNS:-}" != inside ]; then
    flags="--net --pid --fork --kill-child --mount-proc"
    [ "$(id -u)" = 0 ] || flags="--user --map-root-user $flags"
    # shellcheck disable=SC2086
    unshare $flags true 2>/dev/null || {
        echo "in-namespace.sh: this user may not make a network namespace; run the tests as root, or: sudo sysctl kernel.unprivileged_userns_clone=1" >&2
        exit 77
    }
    # shellcheck disable=SC2086
    ROOMGATE_NETNS=inside exec unshare $flags "$0" "$@"
fi

# An IPv6 address that comes up a second later is a change of network to Chromium, and aborts what it is loading.
for which in all default; do
    { echo 1 > "/proc/sys/net/ipv6/conf/$which/disable_ipv6"; } 2>/dev/null || :
done
ip link set lo up
ip link add room0 type veth peer name room1
ip addr add 10.77.0.1/24 dev room0
ip link set room0 up
ip link set room1 up
exec "$@"
