"""How a file goes: it is checked, then recorded when somebody says so."""

from django.db.models import TextChoices


class State(TextChoices):
    CHECKING = "checking", "Being checked"
    CHECKED = "checked", "Checked; nothing was recorded yet"
    RECORDING = "recording", "Being recorded"
    PAUSED = "paused", "Paused"
    STOPPED = "stopped", "Stopped"
    DONE = "done", "Done"


SOURCES: dict[State, tuple[State, ...]] = {
    State.CHECKED: (State.CHECKING,),
    State.RECORDING: (State.CHECKED, State.PAUSED),
    State.PAUSED: (State.RECORDING,),
    State.STOPPED: (State.RECORDING, State.PAUSED),
    State.DONE: (State.RECORDING,),
}
"""What each state is reached from. A file begins as being checked."""

# A worker, or the command, is at these.
WORKING = (State.CHECKING, State.RECORDING)
LOOKED_AT = (State.CHECKING, State.CHECKED)
ENDED = (State.STOPPED, State.DONE)
