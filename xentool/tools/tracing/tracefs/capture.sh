# Runs on a KVM host, handed to `sh -c`. Its standard input carries what the client says, a line every two seconds: an
# empty one, "go" from when it wants the begin on, "stop" from when it wants the end on. A stream (traces/kvm/stream.py)
# goes to stdout; lines to the client, which begin with "xentool: ", to stderr. Whatever ends this, its instance of
# tracefs is removed, which is all that it makes.
#
# Words: PID TIME KIB [gate]: the machine's process, hundredths of a second (0: until the client says so), and how many
# KiB each processor's buffer is to have; with "gate" it begins when the client says "go", and else at once. Needs
# POSIX's sh, the core utilities, and tracefs.
#
# Ref: Linux, Documentation/trace/ftrace.rst, "Instances"; kernel/trace/trace.c, tracing_buffers_read

export LC_ALL=C

say() { printf 'xentool: %s\n' "$*" >&2; }

# A client that is frozen or cut off keeps the connection open; so many hundredths of a second of silence end this.
patience=1000
page=4096

# Set `clock` to the hundredths of a second since this machine booted.
look() {
    read -r up _ </proc/uptime
    clock=$((${up%.*} * 100 + 1${up#*.} - 100))
}

# What is to come in the stream, as a line before it. Behind the head it is padded to a page.
section() { printf 'xentool: %s\n' "$*"; }
block() { printf "%-${page}s" "xentool: $*"; }

# Whether a process is there, and no zombie that nobody has waited for.
alive() { [ -e "/proc/$1/exe" ]; }

# The machine's threads, and those of the kernel that work for it: their numbers, and with "names" these too.
threads() {
    for comm in "/proc/$machine"/task/*/comm /proc/[0-9]*/comm; do
        name=
        read -r name <"$comm" || continue
        tid=${comm%/comm}
        tid=${tid##*/}
        case $comm in
            */task/*) ;;
            *) case $name in "vhost-$machine" | "kvm-pit/$machine") ;; *) continue ;; esac ;;
        esac
        if [ "$1" = names ]; then printf '%s %s\n' "$tid" "$name"; else printf '%s\n' "$tid"; fi
    done 2>/dev/null
}

# All that it takes to read the pages that follow.
head() {
    section stream 1
    section kernel "$(uname -snrm)"
    section clock "$(cat "$instance/trace_clock")"
    section machine "$machine"
    od -An -v -tx1 "/proc/$machine/cmdline"
    section threads
    threads names
    section header_page
    cat "$root/events/header_page"
    section header_event
    cat "$root/events/header_event"
    section format kvm
    cat "$root"/events/kvm/*/format
    section format sched
    cat "$root/events/sched/sched_switch/format" "$root/events/sched/sched_wakeup/format" \
        "$root/events/sched/sched_wakeup_new/format"
    section cpus
    for each in "$instance"/per_cpu/cpu*; do printf '%s\n' "${each##*/cpu}"; done
    section pages "$page"
}

# Copy a processor's pages, at most $2 of them, or all: a read gives one, and none when there are no more.
copy() {
    dd if="$1/trace_pipe_raw" bs="$page" iflag=nonblock ${2:+count=$2} 2>/dev/null &
    reader=$!
    wait "$reader"
    while alive "$reader"; do wait "$reader"; done # what was waiting was interrupted
}

# Copy what has come until told to finish, and then the rest, and what was lost. An event has 12 bytes or more, but few
# have less than 60: so many pages hold what there is, and what comes meanwhile waits for its turn.
pump() {
    finish='' more='' reader=''
    trap finish=1 USR2
    trap 'kill -KILL "$reader" 2>/dev/null; exit' TERM
    while [ -z "$finish" ]; do
        if ! alive $$; then return; fi
        came=
        for each in "$instance"/per_cpu/cpu*; do
            read -r _ entries <"$each/stats" || continue
            if [ "$entries" -gt 0 ]; then
                came=1
                block cpu "${each##*/cpu}" "$entries"
                copy "$each" $((entries / 64 + 1))
            fi
        done
        # A round that brought nothing tells that what came before is all there was until then.
        if [ "$came$more" ]; then block round || return; fi
        more=$came
        if [ -z "$finish" ]; then sleep 0.1; fi
    done
    for each in "$instance"/per_cpu/cpu*; do
        block cpu "${each##*/cpu}" 0
        copy "$each"
        block stats "${each##*/cpu}" "$(cat "$each/stats")"
    done
    threads names | while read -r each; do block thread "$each"; done
    block end
}

# What the client says, as signals for the main shell; and when that is gone, what it would have done in the end.
listen() {
    trap '' HUP INT TERM PIPE USR1 USR2 ALRM
    while read -r line; do
        case $line in stop) signal=USR2 ;; go) signal=ALRM ;; *) signal=USR1 ;; esac
        if ! alive $$; then break; fi
        kill -s "$signal" $$
    done
    if alive $$; then
        kill -s HUP $$
    else
        client=killed
        put_back
    fi
}

# Note when the client was heard last. Sets `client` to $1 when that is too long ago.
heed() {
    look
    if [ "$silence" = 0 ]; then heard=$clock silence=1; fi
    if [ $((clock - heard)) -gt "$patience" ]; then client=$1; fi
}

put_back() {
    tries=0
    echo 0 2>/dev/null >"$instance/tracing_on"
    # While somebody reads from it, it stays.
    until rmdir "$instance" 2>/dev/null || [ ! -d "$instance" ] || [ "$((tries += 1))" -gt 50 ]; do sleep 0.1; done
    if [ -d "$instance" ]; then say ended "$client" "$instance"; else say ended "$client"; fi
}

main() {
    machine=$1 time=$2 size=$3 gate=$4
    client=recording silence=0 go='' root='' pump='' listener=''
    if [ "$(id -u)" != 0 ]; then say refused permission; return; fi
    for root in /sys/kernel/tracing /sys/kernel/debug/tracing ''; do
        if [ -d "$root/instances" ]; then break; fi
    done
    if [ -z "$root" ]; then say refused no-tracefs; return; fi
    if [ ! -d "$root/events/kvm/kvm_exit" ]; then say refused no-kvm; return; fi
    if ! alive "$machine"; then say refused gone; return; fi

    # Of those that were killed together with the shell that watched them.
    for instance in "$root"/instances/xentool-*; do
        if ! alive "${instance##*-}"; then rmdir "$instance" 2>/dev/null; fi
    done
    instance=$root/instances/xentool-$$
    trap '' PIPE
    trap client=gone HUP INT TERM
    trap silence=0 USR1
    trap 'silence=0 go=1' ALRM
    trap client=stop USR2
    if ! mkdir "$instance"; then say refused no-instance; return; fi
    # Before anything else, since it removes what this shell cannot when it is killed outright.
    listen <&3 >/dev/null &
    listener=$!
    exec 3<&-
    {
        # Nanoseconds that all processors count alike.
        echo mono >"$instance/trace_clock" &&
            echo "$size" >"$instance/buffer_size_kb" &&
            echo 1 >"$instance/options/event-fork" &&
            for each in $(threads); do echo "$each" >>"$instance/set_event_pid"; done &&
            # Those that began before they were followed, and after they were listed.
            for each in $(threads); do echo "$each" >>"$instance/set_event_pid"; done
    } 2>/dev/null || { rmdir "$instance"; say refused no-instance; kill -KILL "$listener" 2>/dev/null; return; }
    # A kernel may have larger ones: what a head and its data take.
    each=$(sed -n 's/.*char data;[^0-9]*offset:\([0-9]*\);[^0-9]*size:\([0-9]*\);.*/\1 + \2/p' "$root/events/header_page")
    page=$((${each:-4096}))
    if [ "$gate" ]; then
        say ready
        while [ -z "$go" ] && [ "$client" = recording ]; do
            sleep 0.1
            heed silent
        done
        if [ "$client" != recording ]; then put_back; kill -KILL "$listener" 2>/dev/null; return; fi
    fi
    say started
    head
    pump <&- &
    pump=$!
    exec >/dev/null
    say began "$(date '+%s.%N %z')"
    echo 1 >"$instance/events/kvm/enable"
    for each in switch wakeup wakeup_new; do echo 1 >"$instance/events/sched/sched_$each/enable"; done
    look
    end=$((clock + time)) heard=$clock
    while [ "$client" = recording ]; do
        sleep 0.1
        heed silent
        if [ "$time" -gt 0 ] && [ "$clock" -ge "$end" ]; then client=stop; fi
        if ! alive "$machine"; then client=over; fi
        if ! alive "$pump"; then client=gone; fi
    done
    echo 0 >"$instance/tracing_on"
    say over "$(date +%s.%N)" $((clock - end + time))
    case $client in stop | over)
        kill -USR2 "$pump"
        while alive "$pump" && [ "$client" != gone ]; do
            sleep 0.1
            heed gone
        done
        ;;
    esac
    kill -TERM "$pump" 2>/dev/null
    put_back
    kill -KILL "$listener" 2>/dev/null
}

exec 3<&0 </dev/null
main "$@"
