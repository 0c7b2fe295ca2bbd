#!/bin/busybox sh
# SPDX-License-Identifier: BSD-2-Clause
# The guest's first process: what a machine needs to be one, then a shell on the second serial port,
# where the tests on the host say what is to be done.
export PATH=/sddf:/bin HOME=/
if [ "$1" != again ]; then
    # The initramfs itself can be nobody's old root (pivot_root(2)), as the starter of a protection
    # domain wants it: from here on the root is the same folder, mounted once more.
    /bin/busybox --install -s /bin
    mkdir -p /root
    mount --bind / /root
    exec chroot /root /init again
fi
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
ln -s /proc/self/fd /dev/fd
while read -r name; do
    insmod "/modules/$name.ko" || echo "init: no module $name"
done </modules/order
echo 16 >/proc/sys/vm/nr_hugepages
exec 3<>/dev/ttyS1
stty raw -echo <&3
echo "init: up after $(cut -d ' ' -f 1 /proc/uptime) s"
echo ready >&3
# Not in the first process: a child of its own that ends (and every orphan is one) would make "read"
# begin anew, and lose half a line.
while true; do
    sh -c 'while read -r line; do eval "$line" </dev/null >&3 2>&3; done <&3'
done
