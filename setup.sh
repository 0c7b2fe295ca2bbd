#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Puts in place what building, running and testing sDDF takes on a Debian machine:
#
#   - the Debian packages below, those of them that are missing;
#   - lwIP's source, from Debian's source package, in build-lwip/ (build-lwip/src/core/ and so on).
#     The package index that this takes is kept in a temporary folder: the machine's own apt
#     configuration and lists stay as they are.
#
# Does nothing, quickly and without a network, when all is there. Run by `make` when needed.
#
#   ./setup.sh            put in place what is missing
#   ./setup.sh --check    only say what is missing (exit 1 if something is)
#   ./setup.sh --debug    besides, gdb, strace and Valgrind; also with --sel4 and --check
#   ./setup.sh --sel4     besides, cross compilers and QEMU for the systems on seL4; also --check
#   ./setup.sh --verify   besides, provers and model checkers; also with --sel4 and --check
#   ./setup.sh --guest    besides, QEMU and a Debian kernel (in build-kernel/, from its package,
#                         which is not installed) for the guest with real drivers; also --check
#
# SDDF_LWIP_DIR=FOLDER  an lwIP source tree to use in place of Debian's: build-lwip links to it.

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

packages=(
    # Compilers and what drives them
    gcc clang libclang-rt-dev libc6-dev linux-libc-dev meson ninja-build pkg-config
    # Protection domains: the C library whose memcpy and snprintf they use
    musl-dev
    # The loader and its drivers
    libbpf-dev libxdp-dev libseccomp-dev libcap-dev
    # The tool: descriptions, programs, pictures
    libxml2-dev libelf-dev libdw-dev libjansson-dev libgraphviz-dev graphviz
    # Tests and benchmarks
    libcmocka-dev libck-dev libdpdk-dev python3 python3-pytest python3-scapy gnuplot-nox
    iproute2 ethtool iputils-ping util-linux tcpdump
    # Formatting, and unpacking lwIP
    clang-format dpkg-dev xz-utils
)

# To look into protection domains (docs/linux-platform.md), and the tests of that.
debug_packages=(gdb strace valgrind)

# For systems on seL4: cross compilers, the C library of their programs, and machines to run them.
sel4_packages=(
    gcc-aarch64-linux-gnu gcc-riscv64-unknown-elf binutils-aarch64-linux-gnu
    libc6-dev-arm64-cross
    picolibc-aarch64-linux-gnu picolibc-riscv64-unknown-elf
    qemu-system-arm qemu-system-misc opensbi
)

# For `make verify`: provers and model checkers; and the coverage of the fuzz targets.
verify_packages=(spin frama-c-base why3 z3 cvc4 patch llvm)

# For the guest: a PC, and the first programs that run in it.
guest_packages=(
    qemu-system-x86 qemu-system-data busybox-static
)

lwip=build-lwip
kernel=build-kernel

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# ---- Debian packages ----------------------------------------------------------------------------

# Those of the arguments that are not installed, one a line.
missing_packages() {
    local installed
    # A package that dpkg has never heard of makes dpkg-query fail, which is no error here.
    # A package may stand in for another under its name (pkgconf for pkg-config).
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package} ${Provides}\n' 2>/dev/null |
                    sed -n -e 's/ ([^)]*)//g' -e 's/,//g' -e 's/^installed //p' | tr ' ' '\n' || true)
    comm -23 <(printf '%s\n' "$@" | sort -u) <(sort -u <<<"$installed")
}

install_packages() {
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            die "these packages are missing, and installing them takes root or sudo: $*"
        as_root=(sudo)
    fi
    say "installing $# Debian packages: $*"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300
               -o Acquire::Retries=3)
    "${as_root[@]}" "${apt[@]}" update ||
        say "apt-get update failed; going on with the package lists that are there"
    "${as_root[@]}" "${apt[@]}" install -y --no-install-recommends "$@" </dev/null ||
        die "installing failed: see above for the reason"
}

# ---- lwIP ---------------------------------------------------------------------------------------

have_lwip() {
    if [ -n "${SDDF_LWIP_DIR:-}" ]; then
        [ "$(readlink -f "$lwip")" = "$(readlink -f "$SDDF_LWIP_DIR")" ]
    else
        # The stamp is written before the folder gets its name, so it stands for a whole tree.
        [ -f "$lwip/.version" ] && [ ! -L "$lwip" ]
    fi
}

# The machine's package sources, as sources of source packages, in the folder $1. Both formats:
# stanzas of "Types: deb" in *.sources, and lines that begin with "deb" in *.list.
write_source_lists() {
    local file n=0
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$file" ] || continue
        sed -n -E 's/^[[:space:]]*deb(-src)?[[:space:]]/deb-src /p' "$file" |
            sed -E 's/^(deb-src \[[^]]*)\barch=[^] ]*/\1/; s/\[[[:space:]]*\]//' |
            sort -u >"$1/$((n += 1)).list"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        sed -E -e 's/^[Tt]ypes:.*/Types: deb-src/' -e '/^[Aa]rchitectures:/d' \
            "$file" >"$1/$((n += 1)).sources"
    done
}

fetch_lwip() {
    local work
    work=$(mktemp -d "${TMPDIR:-/tmp}/sddf-setup.XXXXXX")
    # shellcheck disable=SC2064  # the folder's name of now is meant
    trap "rm -rf '$work' '$lwip.new'" EXIT
    mkdir -p "$work"/{sources,lists/partial,cache/archives/partial,source}
    write_source_lists "$work/sources"

    cat >"$work/apt.conf" <<END
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$work/sources";
Dir::State::Lists "$work/lists";
Dir::Cache "$work/cache";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Sandbox::User "root";
END
    local apt=(apt-get -q -c "$work/apt.conf")
    say "fetching lwIP's source package"
    "${apt[@]}" update >"$work/log" 2>&1 || true # one dead source of several is no harm
    (cd "$work/source" && "${apt[@]}" source --download-only lwip) >>"$work/log" 2>&1 || {
        cat "$work/log" >&2
        die "cannot fetch lwIP's source package. Without a network, unpack lwIP yourself" \
            "and give its folder as SDDF_LWIP_DIR=FOLDER."
    }
    local description=("$work"/source/lwip_*.dsc)
    local version=${description[0]##*/lwip_}
    version=${version%.dsc}
    rm -rf "$lwip.new"
    # apt has checked the files against the signed index; no keyring is needed to unpack them.
    dpkg-source -q --no-check --no-copy -x "${description[0]}" "$lwip.new" >>"$work/log" 2>&1 || {
        cat "$work/log" >&2
        die "cannot unpack lwIP's source package"
    }
    [ -f "$lwip.new/src/include/lwip/init.h" ] || die "lwIP's source package has no src/include"
    echo "$version" >"$lwip.new/.version"
    rm -rf "$lwip"
    mv "$lwip.new" "$lwip"
    say "lwIP $version is in $lwip/"
}

link_lwip() {
    [ -f "$SDDF_LWIP_DIR/src/include/lwip/init.h" ] ||
        die "SDDF_LWIP_DIR=$SDDF_LWIP_DIR is no lwIP source tree: it has no src/include/lwip/init.h"
    rm -rf "$lwip"
    ln -s "$(readlink -f "$SDDF_LWIP_DIR")" "$lwip"
    say "lwIP is $SDDF_LWIP_DIR"
}

# ---- the guest's kernel -------------------------------------------------------------------------

have_kernel() {
    # The stamp is written before the folder gets its name, so it stands for a whole kernel.
    [ -f "$kernel/.version" ]
}

# The newest one that the package lists have. What is not used of it is not unpacked.
fetch_kernel() {
    local work package
    package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-\)/\1/p' | head -n 1)
    [ -n "$package" ] || die "the package lists have no linux-image-amd64; \"apt-get update\" may help"
    work=$(mktemp -d "${TMPDIR:-/tmp}/sddf-setup.XXXXXX")
    # shellcheck disable=SC2064  # the folder's name of now is meant
    trap "rm -rf '$work' '$kernel.new'" EXIT
    say "fetching $package for the guest"
    (cd "$work" && apt-get -q -o Acquire::Retries=3 -o APT::Sandbox::User=root download "$package") \
        >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        die "cannot fetch $package"
    }
    rm -rf "$kernel.new"
    mkdir "$kernel.new"
    dpkg-deb --fsys-tarfile "$work"/*.deb |
        tar -x -C "$kernel.new" --wildcards './boot/vmlinuz-*' '*/kernel/drivers/vfio/*' \
            '*/kernel/drivers/virtio/*' '*/kernel/drivers/net/virtio_net.ko*' '*/kernel/drivers/uio/*' \
            '*/kernel/drivers/net/net_failover.ko*' '*/kernel/net/core/failover.ko*' \
            '*/kernel/drivers/net/ethernet/intel/e1000e/*' '*/kernel/virt/lib/*'
    echo "$package" >"$kernel.new/.version"
    rm -rf "$kernel"
    mv "$kernel.new" "$kernel"
    say "$package is in $kernel/"
}

# ---- what to do ---------------------------------------------------------------------------------

guest=
while true; do
    case "${1:-}" in
    --sel4) packages+=("${sel4_packages[@]}") ;;
    --debug) packages+=("${debug_packages[@]}") ;;
    --verify) packages+=("${verify_packages[@]}") ;;
    --guest) packages+=("${guest_packages[@]}"); guest=yes ;;
    *) break ;;
    esac
    shift
done
case "${1:-}" in
'' | --check) ;;
*) sed -n '4,/^$/s/^# \{0,1\}//p' "$0"; exit "$([ "$1" = --help ] && echo 0 || echo 2)" ;;
esac

command -v dpkg-query >/dev/null ||
    die "this is no Debian machine (no dpkg). These are the packages to install by its own means:" \
        "${packages[*]}"

mapfile -t missing < <(missing_packages "${packages[@]}")
if [ "${1:-}" = --check ]; then
    [ ${#missing[@]} -eq 0 ] || say "missing packages: ${missing[*]}"
    have_lwip || say "missing: lwIP's source in $lwip/"
    [ -z "$guest" ] || have_kernel || say "missing: the guest's kernel in $kernel/"
    [ ${#missing[@]} -eq 0 ] && have_lwip && { [ -z "$guest" ] || have_kernel; }
    exit
fi
[ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
if ! have_lwip; then
    if [ -n "${SDDF_LWIP_DIR:-}" ]; then link_lwip; else fetch_lwip; fi
fi
if [ -n "$guest" ] && ! have_kernel; then
    fetch_kernel
fi
