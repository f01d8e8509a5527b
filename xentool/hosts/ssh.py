"""A dom0 that the system's OpenSSH reaches, with the user's own keys and ssh_config, over one shared connection.

The connection outlives the command that made it by some minutes (OpenSSH's ControlPersist), for the next ones: a login
takes a busy dom0 seconds. Where ssh_config has a ControlPath for the host, the user's own connection is shared.
"""

import os
import shlex
import subprocess
import tempfile
import weakref
from collections.abc import Sequence
from itertools import count, pairwise
from pathlib import Path

from xentool.errors import Unavailable, XentoolError
from xentool.hosts import control, waiting
from xentool.hosts.base import Completed, Stream, checked, last_line, run_child, spawn

# ssh's own exit status for "no connection"; a remote command may end with it as well, so it is a hint only.
SSH_FAILED = 255
SESSION_OPTIONS = (
    "-T",
    *("-o", "LogLevel=ERROR"),  # no banners: the last line on stderr is the reason
    *("-o", "RemoteCommand=none"),
    *("-o", "ClearAllForwardings=yes"),  # the user's LocalForward ports may be taken by their own session
)
MASTER_OPTIONS = (
    *("-f", "-N"),
    *("-o", "ControlMaster=yes"),
    # A host that fell silent is noticed after a minute, also when it went away without closing the connection.
    *("-o", "ServerAliveInterval=10"),
    *("-o", "ServerAliveCountMax=6"),
)
#: Seconds for which a connection that is one command's own outlives it, if that is killed.
ORPHANED = 60
_LOAD = "cat /proc/loadavg && nproc"
_LOAD_S = 15.0


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
        self._socket: Path | None = None
        # Whether the user's ssh_config says how long a connection stays.
        self._persists = False
        # Made here, and so ended here: nobody else's connection, and what leads to sockets in dom0.
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._forwarded: list[tuple[Path, str]] = []
        self._forwards = count()

    def run(
        self, argv: Sequence[str], *, input: bytes | None = None, timeout: float | None = None, check: bool = True
    ) -> Completed:
        """Run a command to its end (see `Host.run`)."""
        completed = run_child(self.name, self._session(argv), argv, input=input, timeout=timeout, load=self._load)
        if completed.returncode == SSH_FAILED and not self.connected():
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
        self.run(["sh", "-c", script, "sh", target], input=content, timeout=waiting.FOREVER)

    def forward(self, path: str) -> Path:
        """Lead a local socket to one in dom0, over the shared connection (see `Host.forward`)."""
        self._ensure()
        folder = self._folder()
        local = folder / f"{self._key()}.{os.getpid()}.{next(self._forwards)}"
        asked = self._control("forward", "-L", f"{local}:{path}")
        if asked.returncode != 0:
            reason = last_line(asked.stderr) or "ssh gave no reason"
            raise Unavailable(f"cannot forward {path} from {self.name}: {reason}")
        self._forwarded.append((local, path))
        return local

    def close(self) -> None:
        """Leave the connection to the next command, or end it where it is shared with none; a later call goes on."""
        for local, path in self._forwarded:
            if self._own is None or self._where().parent != Path(self._own.name):
                self._control("cancel", "-L", f"{local}:{path}")
            local.unlink(missing_ok=True)
        self._forwarded.clear()
        if self._own is not None:
            self._finalizer()
            self._own = None
        self._socket = None

    def connected(self) -> bool:
        """Say whether a connection stands, so that nothing has to be waited for."""
        # Where ssh cannot be asked, connecting says why.
        return self._where().exists() and self._control("check").returncode == 0

    def disconnect(self) -> None:
        """End the connection for all, unless it is the user's own."""
        if self._own is None and self._shared_socket() == self._where():
            self._control("exit")
        self.close()

    def _session(self, argv: Sequence[str], *options: str) -> list[str]:
        """Return the local command that runs `argv` over the shared connection, which stands when this returns."""
        self._ensure()
        # One word for the remote shell, quoted, so that it finds the same words as the caller gave.
        return [*self._command("-o", "ControlMaster=no"), *options, "--", self._destination, shlex.join(argv)]

    def _command(self, *options: str) -> list[str]:
        return ["ssh", *options, *self._options, "-o", f"ControlPath={self._where()}"]

    def _control(self, verb: str, *words: str) -> "subprocess.CompletedProcess[bytes]":
        # Without the options of sessions, which clear forwardings, and without ssh_config, which may add the user's.
        command = ["ssh", "-F", "none", "-O", verb, "-o", f"ControlPath={self._where()}", *words]
        return subprocess.run(
            [*command, "--", self._destination], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )

    def _key(self) -> str:
        return control.name(self._destination, self._options)

    def _folder(self) -> Path:
        """Give the folder of this user's sockets, or one of this command's own."""
        if self._own is None and (folder := control.directory()) is not None:
            return folder
        self._alone()
        assert self._own  # noqa: S101 - that is what it did
        return Path(self._own.name)

    def _shared_socket(self) -> Path | None:
        folder = control.directory() if control.persistence() else None
        return None if folder is None else folder / self._key()

    def _where(self) -> Path:
        """Give where the connection's socket is: the user's own, one for all commands, or one of this command's own."""
        if self._socket is None:
            self._socket = self._users_socket() or self._shared_socket() or self._alone()
        return self._socket

    def _users_socket(self) -> Path | None:
        if ("-F", "none") in pairwise(self._options):
            return None
        asked = ["ssh", "-G", *self._options, "--", self._destination]
        try:
            told = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except OSError:  # connecting says so
            return None
        lines = told.stdout.decode(errors="surrogateescape").splitlines() if told.returncode == 0 else []
        settings = dict(line.partition(" ")[::2] for line in lines)
        self._persists = settings.get("controlpersist", "no") != "no"
        path = settings.get("controlpath", "none")
        return None if path == "none" else Path(path)

    def _alone(self) -> Path:
        if self._own is None:
            parent = tempfile.gettempdir()
            self._own = tempfile.TemporaryDirectory(  # mode 0700
                prefix="xt-",
                dir=parent if len(parent) < control.LONGEST_DIRECTORY else "/tmp",  # noqa: S108 - named by mkdtemp
            )
            words = [
                "ssh",
                "-F",
                "none",
                "-O",
                "exit",
                "-o",
                f"ControlPath={self._own.name}/s",
                "--",
                self._destination,
            ]
            self._finalizer = weakref.finalize(self, _disconnect, words, self._own)
        return Path(self._own.name, "s")

    def _ensure(self) -> None:
        """Connect, unless the shared connection stands."""
        if self.connected():
            return
        folder = self._folder()
        control.sweep(folder)
        with control.alone(folder / self._key()):
            # Another process may have made it meanwhile.
            if not self.connected():
                self._connect()

    def _connect(self) -> None:
        socket = self._where()
        options = [*MASTER_OPTIONS, *self._patience()]
        if self._own is not None and socket.parent == Path(self._own.name):
            options += ["-o", f"ControlPersist={ORPHANED}"]
        elif socket == self._shared_socket() or not self._persists:
            options += ["-o", f"ControlPersist={control.persistence() or ORPHANED}"]
        if socket.parent == self._folder():
            # A master that was killed leaves its socket, and ssh would then run without sharing the connection.
            socket.unlink(missing_ok=True)
        # Stays in the foreground until ssh has logged in, so that it can ask for a passphrase on the terminal.
        # Its stderr is a file: OpenSSH before 8.6 keeps it open in the background, and a pipe would never end.
        limit = self._limit()
        with tempfile.TemporaryFile() as stderr:
            try:
                master = subprocess.run(
                    [*self._command(*options), "--", self._destination],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    check=False,
                    timeout=limit,
                )
            except OSError as error:
                raise Unavailable(f"{self.name}: cannot start ssh: {error.strerror}") from error
            except subprocess.TimeoutExpired:
                raise Unavailable(f"cannot reach {self.name}: no login within {limit:g} s") from None
            stderr.seek(0)
            if master.returncode != 0:
                raise Unavailable(f"cannot reach {self.name}: {last_line(stderr.read()) or 'ssh gave no reason'}")

    def _patience(self) -> tuple[str, ...]:
        # Until it has said hello, too: a busy sshd takes its time.
        seconds = waiting.limit()
        asks = () if waiting.may_ask() else ("-o", "BatchMode=yes")
        return asks if seconds == waiting.FOREVER else (*asks, "-o", f"ConnectTimeout={max(int(seconds), 1)}")

    def _limit(self) -> float | None:
        # ConnectTimeout ends with the hello. Nobody says how long somebody takes who is asked for a password.
        seconds = waiting.limit()
        return None if waiting.may_ask() or seconds == waiting.FOREVER else seconds

    def _load(self) -> str | None:
        try:
            told = subprocess.run(
                [*self._command("-o", "ControlMaster=no"), "--", self._destination, _LOAD],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_LOAD_S,
                check=False,
                start_new_session=True,
            )
        except (OSError, subprocess.TimeoutExpired):
            return f"its dom0 does not tell its load within {_LOAD_S:g} s"
        said = waiting.load(told.stdout.decode(errors="replace"))
        return f"its dom0 has {said}" if said else None


def _disconnect(command: list[str], directory: "tempfile.TemporaryDirectory[str]") -> None:
    # Runs from close() or when the interpreter ends, whichever is first; a connection that is gone already is fine.
    if (Path(directory.name) / "s").exists():
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    directory.cleanup()
