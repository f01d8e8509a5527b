"""A dom0 that the system's OpenSSH reaches, with the user's own keys and ssh_config, over one shared connection."""

import shlex
import subprocess
import tempfile
import weakref
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from xentool.errors import Unavailable, XentoolError
from xentool.hosts.base import Completed, Stream, checked, last_line, run_child, spawn

# ssh's own exit status for "no connection"; a remote command may end with it as well, so it is a hint only.
SSH_FAILED = 255
# sun_path holds 108 bytes; ssh appends a suffix of 17 to the name while it creates the socket.
LONGEST_DIRECTORY = 80

SESSION_OPTIONS = (
    "-T",
    *("-o", "LogLevel=ERROR"),  # no banners: the last line on stderr is the reason
    *("-o", "RemoteCommand=none"),
    *("-o", "ClearAllForwardings=yes"),  # the user's LocalForward ports may be taken by their own session
)
MASTER_OPTIONS = (
    *("-f", "-N"),
    *("-o", "ControlMaster=yes"),
    # Outlives this process by so much only when it was killed; otherwise `close` ends the connection.
    *("-o", "ControlPersist=60"),
    *("-o", "ConnectTimeout=20"),
    # A host that fell silent is noticed after 30 s, also when it went away without closing the connection.
    *("-o", "ServerAliveInterval=10"),
    *("-o", "ServerAliveCountMax=3"),
)


class SshHost:
    """A dom0 at the other end of ssh.

    :param destination: what ssh takes: ``[user@]host`` or ``ssh://[user@]host[:port]``
    :param options: further words for every ssh command, such as ``("-p", "2222", "-i", key)``
    :param name: how messages call the host; the destination by default
    """

    def __init__(self, destination: str, *, options: Sequence[str] = (), name: str | None = None) -> None:
        self.name = name or destination
        self._destination = destination
        self._options = (*SESSION_OPTIONS, *options)
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._forwards = count()

    def run(
        self, argv: Sequence[str], *, input: bytes | None = None, timeout: float | None = None, check: bool = True
    ) -> Completed:
        """Run a command to its end (see `Host.run`)."""
        completed = run_child(self.name, self._session(argv), argv, input=input, timeout=timeout)
        if completed.returncode == SSH_FAILED and not self._connected():
            raise Unavailable(f"lost the connection to {self.name}: {last_line(completed.stderr) or 'no reason given'}")
        return checked(self.name, completed) if check else completed

    def popen(self, argv: Sequence[str], *, stdin: Stream, stdout: Stream, stderr: Stream) -> subprocess.Popen[bytes]:
        """Start a command (see `Host.popen`)."""
        spawned = self._session(argv)
        return spawn(spawned, stdin=stdin, stdout=stdout, stderr=stderr)

    def interact(self, argv: Sequence[str]) -> int:
        """Run a command on this program's terminal (see `Host.interact`)."""
        # In the foreground, unlike what `popen` starts; and a terminal there, so that the command ends with this one.
        return subprocess.run(self._session(argv, "-t"), check=False).returncode

    def put(self, source: Path, target: str) -> None:
        """Copy a file (see `Host.put`)."""
        # The rename makes it all or nothing: a connection that breaks leaves no half file under the final name.
        script = 'cat >"$1.part" && mv -f "$1.part" "$1"'
        try:
            content = source.read_bytes()
        except OSError as error:
            raise XentoolError(f"cannot read {source}: {error.strerror}") from error
        self.run(["sh", "-c", script, "sh", target], input=content)

    def forward(self, path: str) -> Path:
        """Lead a local socket to one in dom0, over the shared connection (see `Host.forward`)."""
        self._ensure()
        control = self._control()
        local = control.with_name(f"f{next(self._forwards)}")
        # Without the options of sessions, which clear forwardings, and without ssh_config, which may add the user's.
        words = ["ssh", "-F", "none", "-O", "forward", "-o", f"ControlPath={control}"]
        words += ["-L", f"{local}:{path}", "--", self._destination]
        asked = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if asked.returncode != 0:
            reason = last_line(asked.stderr) or "ssh gave no reason"
            raise Unavailable(f"cannot forward {path} from {self.name}: {reason}")
        return local

    def close(self) -> None:
        """End the shared connection; a later call opens another."""
        if self._directory is not None:
            self._finalizer()
            self._directory = None

    def _session(self, argv: Sequence[str], *options: str) -> list[str]:
        """Return the local command that runs `argv` over the shared connection, which stands when this returns."""
        self._ensure()
        # One word for the remote shell, quoted, so that it finds the same words as the caller gave.
        return [*self._command("-o", "ControlMaster=no"), *options, "--", self._destination, shlex.join(argv)]

    def _command(self, *options: str) -> list[str]:
        return ["ssh", *options, *self._options, "-o", f"ControlPath={self._control()}"]

    def _control(self) -> Path:
        """Return where the shared connection's socket is."""
        if self._directory is None:
            parent = tempfile.gettempdir()
            self._directory = tempfile.TemporaryDirectory(  # mode 0700: who opens the socket is root in dom0
                prefix="xt-",
                dir=parent if len(parent) < LONGEST_DIRECTORY else "/tmp",  # noqa: S108 - its name is made by mkdtemp
            )
            disconnect = [*self._command("-O", "exit"), "--", self._destination]
            self._finalizer = weakref.finalize(self, _disconnect, disconnect, self._directory)
        return Path(self._directory.name, "s")

    def _ensure(self) -> None:
        """Connect, unless the shared connection stands."""
        if not self._connected():
            self._connect()

    def _connected(self) -> bool:
        if self._directory is None or not self._control().exists():
            return False
        check = [*self._command("-O", "check"), "--", self._destination]
        return subprocess.run(check, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0

    def _connect(self) -> None:
        # A master that was killed leaves its socket, and ssh would then run without sharing the connection.
        self._control().unlink(missing_ok=True)
        # Stays in the foreground until ssh has logged in, so that it can ask for a passphrase on the terminal.
        # Its stderr is a file: OpenSSH before 8.6 keeps it open in the background, and a pipe would never end.
        with tempfile.TemporaryFile() as stderr:
            try:
                master = subprocess.run(
                    [*self._command(*MASTER_OPTIONS), "--", self._destination],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    check=False,
                )
            except OSError as error:
                raise Unavailable(f"{self.name}: cannot start ssh: {error.strerror}") from error
            stderr.seek(0)
            if master.returncode != 0:
                raise Unavailable(f"cannot reach {self.name}: {last_line(stderr.read()) or 'ssh gave no reason'}")


def _disconnect(command: list[str], directory: "tempfile.TemporaryDirectory[str]") -> None:
    # Runs from close() or when the interpreter ends, whichever is first; a connection that is gone already is fine.
    if (Path(directory.name) / "s").exists():
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    directory.cleanup()
