"""What a benchmark of the look-up runs on: a sandbox, a panel as in production, a naive view."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.load import Round, RoundFailed, Target, run_round
from bench.servers import Server, naive_env, panel_env, run, web_command
from bench.shop import INSTALLATION
from ports import any_free
from sandbox.control import Sandbox, Tls
from tests.support.certificates import certify

ENGINE_SECONDS = 0.150
NEW_CONNECTION_SECONDS = 0.060
MEMBERS = 200
GETTING_GOING_SECONDS = 5


@dataclass(frozen=True)
class Load:
    """So many tills, each asking again when it has its answer and has thought."""

    tills: int
    seconds: float
    turns: int
    think_seconds: float = 0

    def __str__(self) -> str:
        thinking = f", each thinking {self.think_seconds:g} s" if self.think_seconds else ""
        return f"{self.tills}{thinking}"


@dataclass
class Seen:
    """The rounds of one load against one target, and the CPU that its server used in them."""

    rounds: list[Round] = field(default_factory=list)
    cpu_seconds: float = 0
    failure: str = ""

    @property
    def cpu_ms(self) -> float:
        """For each request, in milliseconds."""
        return 1000 * self.cpu_seconds / sum(one.requests for one in self.rounds)


class Rig:
    def __init__(
        self,
        sandbox: Sandbox,
        servers: dict[str, Server],
        env: dict[str, str],
        folder: Path,
    ) -> None:
        self.sandbox = sandbox
        self.servers = servers
        self._env = env
        self._folder = folder

    def fill(self) -> None:
        """Members, each known to the panel already, as most are in a shop open for a while."""
        mails = [f"member.{number}@example.com" for number in range(MEMBERS)]
        for number, mail in enumerate(mails):
            self.sandbox.add_member(
                email=mail, first_name="Mem", last_name=f"Ber {number}", points=600 + number
            )
        self._write("mails", mails)
        self._write("engine-keys", [self.sandbox.guid, self.sandbox.api_key])
        self.new_bearers(1)
        self.round("panel", Load(1, seconds=GETTING_GOING_SECONDS, turns=1))

    def new_bearers(self, count: int) -> None:
        """A bearer lives for five minutes, which is less than all the loads take."""
        self._write("bearers", run(self._env, "-m", "bench.shop", "bearers", str(count)).split())

    def share_offers(self, policy: str) -> None:
        run(self._env, "-m", "bench.shop", "offers", policy)

    @property
    def a_bearer(self) -> str:
        return self.file("bearers").read_text().split()[0]

    @property
    def a_mail(self) -> str:
        return self.file("mails").read_text().split()[0]

    @property
    def look_up_url(self) -> str:
        return f"{self.servers['panel'].url}/panel/{INSTALLATION}/lookup"

    def file(self, name: str) -> Path:
        return self._folder / name

    def _write(self, name: str, lines: Sequence[str]) -> None:
        self.file(name).write_text("\n".join(lines) + "\n")

    def target(self, kind: str) -> Target:
        url, keys = {
            "engine": (f"{self.sandbox.base_url}/customers", "engine-keys"),
            "panel": (self.look_up_url, "bearers"),
            "naive": (f"{self.servers['naive'].url}/lookup", "bearers"),
        }[kind]
        return Target(kind, url, self.file("mails"), self.file(keys))

    def measure(self, load: Load, kinds: Sequence[str]) -> dict[str, Seen]:
        """The kinds in turn, again and again, so that whatever disturbs one disturbs all."""
        self.new_bearers(load.tills)
        for kind in kinds:  # so that threads and connections are there
            with suppress(RoundFailed):
                self.round(kind, load, seconds=GETTING_GOING_SECONDS)
        seen = {kind: Seen() for kind in kinds}
        for _ in range(load.turns):
            for kind in kinds:
                self._one_turn(kind, load, seen[kind])
        return seen

    def _one_turn(self, kind: str, load: Load, seen: Seen) -> None:
        before = self.cpu_seconds(kind)
        try:
            seen.rounds.append(self.round(kind, load))
        except RoundFailed as failure:
            if kind != "naive":
                raise
            seen.failure = str(failure)
        seen.cpu_seconds += self.cpu_seconds(kind) - before

    def cpu_seconds(self, kind: str) -> float:
        """Of the server that answers; the engine's is not ours to count."""
        server = self.servers.get(kind)
        return server.cpu_seconds if server else 0.0

    def round(self, kind: str, load: Load, seconds: float | None = None) -> Round:
        return run_round(
            self.target(kind),
            tills=load.tills,
            seconds=seconds or load.seconds,
            think_seconds=load.think_seconds,
        )


@contextmanager
def running(folder: Path, *, tls: bool) -> Iterator[Rig]:
    """`tls`: the engine speaks https, and a new connection to it takes longer at first."""
    made = certify(folder) if tls else None
    with ExitStack() as stack:
        sandbox = stack.enter_context(
            Sandbox.start(rate=None, tls=Tls(made.cert, made.key, made.authority) if made else None)
        )
        authority = made.authority if made else None
        ports = {"panel": any_free(), "naive": any_free()}
        envs = {
            "panel": panel_env(sandbox, folder, ports["panel"], authority),
            "naive": naive_env(sandbox, folder, ports["naive"], authority),
        }
        run(envs["panel"], "manage.py", "migrate", "-v0")
        run(envs["panel"], "manage.py", "collectstatic", "--noinput", "-v0")
        # The same server with the same processes and threads serves both.
        commands = {
            "panel": web_command(),
            "naive": web_command().replace("loyalty_panel.wsgi", "bench.naive"),
        }
        servers = {}
        for name, command in commands.items():
            url = f"http://127.0.0.1:{ports[name]}"
            servers[name] = Server(name, command, envs[name], url, folder)
            stack.callback(servers[name].stop)
        for server in servers.values():
            server.wait("/readyz")
        rig = Rig(sandbox, servers, envs["panel"], folder)
        rig.fill()
        sandbox.switch(
            latency_seconds=ENGINE_SECONDS,
            connection_seconds=NEW_CONNECTION_SECONDS if tls else 0,
        )
        yield rig
