# Says what kind of host this is, and which machines KVM runs on it: a line "xen", "kvm UID" or "none UID", and for each
# machine "PID WORDS", its process and the words by which that was started, as hexadecimal digits.

if [ -r /proc/xen/capabilities ] && read -r able </proc/xen/capabilities; then
    case $able in *control_d*) echo xen; exit ;; esac
fi
if [ -r /sys/hypervisor/uuid ] && read -r able </sys/hypervisor/uuid; then
    # dom0's own, where xenfs is not mounted.
    case $able in 00000000-0000-0000-0000-000000000000) echo xen; exit ;; esac
fi
if [ -e /dev/kvm ] || [ -e /sys/module/kvm ]; then echo "kvm $(id -u)"; else echo "none $(id -u)"; exit; fi
# Whoever has a machine's descriptor open is its process.
pid=''
ls -l /proc/[0-9]*/fd 2>/dev/null | while read -r line; do
    case $line in
        /proc/*/fd:)
            pid=${line#/proc/}
            pid=${pid%/fd:}
            ;;
        *anon_inode:kvm-vm*)
            if [ "$pid" ]; then printf '%s %s\n' "$pid" "$(od -An -v -tx1 "/proc/$pid/cmdline" | tr -d ' \n')"; fi
            pid=''
            ;;
    esac
done 2>/dev/null
