# Runs in dom0, read by bash from the standard input, which afterwards carries what the client says, a line every two
# seconds: an empty one, "go" from when it wants the begin on, "stop" from when it wants the end on. Records go to
# stdout; lines to the client, which begin with "xentool: ", and xentrace's own messages to stderr. Whatever ends this,
# tracing is put back.
#
# Words: MASK PAGES CPUS LOCK TIME [gate]: TIME in hundredths of a second, 0 for "until the client says so"; with "gate"
# it begins when the client says "go", and else at once. Needs bash 4.1, flock, the core utilities and Xen's xentrace;
# to tell the time to less than a tenth of a second, tracefs.
#
# Ref: tools/xentrace/xentrace.c, xen/common/trace.c, stable-4.17 and stable-4.20

# In some locales the clock's seconds end with a comma.
export LC_ALL=C

say() { printf 'xentool: %s\n' "$*" >&2; }

# A client that is frozen or cut off keeps the connection open; this many hundredths of a second of silence end it.
patience=1000
silence=0

# Set `clock` to the hundredths of a second since this machine booted.
look() {
    local up rest
    read -r up rest </proc/uptime
    clock=$((10#${up/./}))
}

# Wait for the client for $1 hundredths of a second. Sets `client` to stop, gone or silent when it wants no more, and
# `go` when it wants the begin.
listen() {
    local line limit wait=$1
    printf -v limit %d.%02d $((wait / 100)) $((wait % 100))
    if IFS= read -r -t "$limit" line; then
        silence=0
        case $line in stop) client=stop ;; go) go=1 ;; esac
    elif (($? <= 128)); then
        client=gone # end of file: the client was killed, or its connection closed
    elif (((silence += wait) >= patience)); then
        client=silent
    fi
}

running() { [[ -n $xentrace ]] && kill -0 "$xentrace" 2>/dev/null; }

# xentrace sets the masks before it opens its file, and enables tracing after it: a file that cannot be opened makes
# it set masks and do nothing else. A mask of 0 would be ignored; 1 lies outside all classes, so nothing passes it.
set_masks() { command xentrace -e "$1" -c all /dev/null/none >/dev/null 2>&1 </dev/null 9>&-; }

# Another xentrace or xenbaked would lose its masks to ours, and its records too: both read from the same buffers.
foreign() {
    local comm pid name
    for comm in /proc/[0-9]*/comm; do
        name=
        read -r name 2>/dev/null <"$comm"
        if [[ $name == xentrace || $name == xenbaked ]]; then
            pid=${comm#/proc/}
            pid=${pid%/comm}
            printf '%s %s' "$pid" "$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")"
            return 0
        fi
    done
    return 1
}

# Pages of one CPU's buffer as xentrace has mapped it (its only writable mapping of privcmd), or fail before that.
# Xen tells the size by no other tool, and keeps the first that was set since it booted.
mapped_pages() {
    local range mode offset device inode path
    while read -r range mode offset device inode path; do
        if [[ $mode == rw-s && $path == */privcmd ]]; then
            echo $(((0x${range#*-} - 0x${range%-*}) / 4096))
            return 0
        fi
    done 2>/dev/null <"/proc/$xentrace/maps"
    return 1
}

# Processor time that the tracer has used, xentrace's and the relay's, in clock ticks.
used() {
    local pid line ticks=0
    for pid in "$xentrace" "$relay"; do
        line=
        read -r line 2>/dev/null <"/proc/$pid/stat"
        # Behind the name, which may hold anything: the state is field 3, utime and stime are 14 and 15.
        set -- ${line##*) }
        ((ticks += ${12:-0} + ${13:-0}))
    done
    echo "$ticks"
}

# Set `wall` to the seconds since the epoch; bash 5 needs no process for it.
now() { wall=${EPOCHREALTIME:-$(date +%s.%6N)}; }

# Read the time stamp counter and the clock together, in the one way that needs no program of ours: a mark in a trace
# buffer of dom0's kernel that counts as Xen does. The buffer is a new one, which disturbs no other tracing, and may
# take 1.5 MiB for each CPU while it is there. Where it cannot be had the client knows less exactly when all this was.
compare_clocks() {
    local root marks='' before after best line word tsc='' try available=0 width=
    for root in /sys/kernel/tracing /sys/kernel/debug/tracing; do
        if [[ -w $root/instances && $(<"$root/trace_clock") == *x86-tsc* ]]; then
            marks=$root/instances/xentool-capture
            break
        fi
    done 2>/dev/null
    while read -r word line _; do
        if [[ $word == MemAvailable: ]]; then available=$line; fi
    done 2>/dev/null </proc/meminfo
    if [[ -z $marks ]] || ((available < 16 * 1536 * $(nproc))); then return; fi
    rmdir "$marks" 2>/dev/null # of one that was killed
    if mkdir "$marks" 2>/dev/null && echo x86-tsc 2>/dev/null >"$marks/trace_clock"; then
        for try in 1 2 3 4 5; do
            now; before=$wall
            echo "xentool $try" 2>/dev/null >"$marks/trace_marker" || break
            now; after=$wall
            # In microseconds, without their common beginning.
            word=$((10#${after//./} - 10#${before//./}))
            if [[ -z $width ]] || ((word < width)); then width=$word best=$try line="$before $after"; fi
        done
        # "  bash-123  [000] .....  456789: tracing_mark_write: xentool 1"
        tsc=$(sed -n "s/.* \\([0-9]*\\): tracing_mark_write: xentool $best\$/\\1/p" "$marks/trace" 2>/dev/null)
        if [[ $tsc =~ ^[0-9]+$ ]]; then say clock "${line% *}" "$tsc" "${line#* }"; fi
    fi
    rmdir "$marks" 2>/dev/null
}

# Ask xentrace to read the buffers a last time and to disable tracing. A signal that hits it in a blocked write makes
# that write short, whereupon it exits with records lost and tracing on. So stop new records first, and signal when it
# was seen polling for 0.3 s on end: it reads all buffers every 0.1 s, so that by then it has nothing left to write.
drain() {
    local calm=0 where
    set_masks 1
    look
    now
    say used "$(used)" "$(getconf CLK_TCK 2>/dev/null || echo 100)" $((clock - begun))
    say over "$wall"
    compare_clocks
    while running && [[ $client == stop ]]; do
        where=
        read -r where 2>/dev/null <"/proc/$xentrace/wchan"
        # A kernel without symbols says 0.
        if [[ $where == *poll* || $where == 0 ]]; then ((calm++)); else calm=0; fi
        if ((calm == 4)); then kill -INT "$xentrace"; fi
        listen 10
        if [[ $client == silent || $client == gone ]]; then return; fi
    done
}

# Disable tracing after an xentrace that did not: it does so only when a signal that it handles ends it. This one starts
# disabled, discards what lies in the buffers, and ends by its own alarm.
disable() {
    local try
    for try in 1 2 3; do
        if command xentrace -X -D -e 1 -c all -T "$try" /dev/null >/dev/null 2>&1 </dev/null 9>&-; then return 0; fi
    done
    return 1
}

put_back() {
    local status off=1
    trap '' HUP INT TERM
    if [[ -z $xentrace ]]; then return; fi
    if running; then kill -KILL "$xentrace"; fi
    wait "$xentrace" 2>/dev/null
    status=$?
    while running; do sleep 0.1; done # the guard is not its parent, and cannot wait for it
    # What the relay still holds is for a client that waits for it.
    while [[ $client == stop || $client == recording ]] && kill -0 "$relay" 2>/dev/null; do listen 10; done
    kill -KILL "$relay" 2>/dev/null
    # One that came between our look and our start has bound the VIRQ first, and ours failed: the buffers are its.
    if ! foreign >/dev/null; then
        if ((status != 0)); then disable || off=0; fi
        set_masks all
    fi
    say "ended $client $status $off"
}

# Outlives a main shell that is killed outright (kill -9, no memory), and puts tracing back in its stead.
guard() {
    local first second
    trap '' HUP INT TERM PIPE
    while read -r first second; do
        if [[ $first == done ]]; then return; fi
        xentrace=$first relay=$second
    done
    client=killed
    put_back
}

# Open a pipe as `reader` and `writer`. Bash's own >( ) needs /dev/fd, which a bare dom0 lacks.
open_pipe() {
    local both name=$1.pipe
    rm -f "$name"
    mkfifo -m 600 "$name" && exec {both}<>"$name" {reader}<"$name" {writer}>"$name" {both}>&-
    rm -f "$name"
}

main() {
    local mask=$1 pages=$2 cpus=$3 lock=$4 time=$5 gate=$6 other reader writer launched begun lead end
    client=recording go='' xentrace='' relay='' watched=
    PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin:/usr/lib/xen/bin

    if [[ ! -e /dev/xen/privcmd && ! -e /proc/xen/privcmd ]]; then say refused no-dom0; return; fi
    if [[ ! -w /dev/xen/privcmd && ! -w /proc/xen/privcmd ]]; then say refused permission; return; fi
    if ! command -v xentrace >/dev/null; then say refused no-xentrace; return; fi
    if ! command -v flock >/dev/null; then say refused no-flock; return; fi
    if ! exec 9>>"$lock"; then say refused permission; return; fi
    if ! flock -n 9; then say refused locked; return; fi
    if other=$(foreign); then say refused foreign "$other"; return; fi

    # Before anything is set. SIGPIPE would kill this shell where it reports to a client that is gone.
    trap '' PIPE
    trap exit HUP INT TERM
    trap 'put_back; echo done >&"$watched"' EXIT
    open_pipe "$lock"
    watched=$writer
    # Only this shell may hold the writing end, or the guard would not see it end.
    guard <&"$reader" {watched}>&- >/dev/null &
    exec {reader}<&-
    # xentrace writes into a pipe, because sshd's stdout is a socket: 4.17 opens a path, and a socket has none.
    open_pipe "$lock"
    cat <&"$reader" {watched}>&- {writer}>&- 9>&- &
    relay=$!
    compare_clocks
    if [[ $gate ]]; then
        say ready
        until [[ $go || $client != recording ]]; do listen 100; done
        if [[ $client != recording ]]; then return; fi
        # Others could begin meanwhile.
        if other=$(foreign); then say refused foreign "$other"; return; fi
    fi
    now
    say began "$wall" "$(date +%z)"
    look
    launched=$clock
    command xentrace -D -e "$mask" -c "$cpus" -S "$pages" /proc/self/fd/1 \
        >&"$writer" </dev/null {watched}>&- {reader}<&- {writer}>&- 9>&- &
    xentrace=$!
    echo "$xentrace $relay" >&"$watched"
    exec {reader}<&- {writer}>&- >/dev/null

    until pages=$(mapped_pages); do
        if ! running || [[ $client != recording ]]; then return; fi
        listen 10
    done
    look
    begun=$clock
    say started "$pages"
    # What ends it is another start of xentrace, which comes into force later where processes are slow to start: half
    # as late as this one did, which had buffers to make too.
    lead=$(((begun - launched) / 2))
    end=$((begun + time - (lead < time / 2 ? lead : time / 2)))
    while running && [[ $client == recording ]]; do
        look
        if ((time == 0 || end - clock > 100)); then
            listen 100
        elif ((end > clock)); then
            listen $((end - clock))
        else
            client=stop
        fi
    done
    if [[ $client == stop ]]; then drain; fi
}

main "$@"; exit # on one line, or the shell's next line would be read as the client's
