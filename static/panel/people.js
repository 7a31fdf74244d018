/* A till that no POS launches: it is paired by a code, and people sign in with a PIN. Shows those
   screens, keeps the till's key where it came in the address, and locks when nobody is there.
   panel.js asks for it through `loyaltyPeople`; what a customer sees is none of its business. */
(() => {
  "use strict";

  const SAY_AFTER_MS = 150;
  const SLOW_AFTER_MS = 2_000;
  const TELL_EVERY_MS = 30_000;
  const NO_CONNECTION = "No connection. Check the network, then try again.";

  const byId = (id) => document.getElementById(id);
  const place = byId("people");
  const leave = byId("leave");
  const said = byId("said");
  let host = null;
  let people = null;
  let stopScreen = () => {};
  let owed = null;
  let idle = Infinity;
  let acted = performance.now();
  let told = acted;

  // The key of a till whose browser keeps no cookies: out of the address at once, so that it stands
  // in no history and no picture of the screen.
  const inAddress = new URLSearchParams(location.hash.slice(1)).get("till");
  if (inAddress) history.replaceState(null, "", location.pathname + location.search);
  const key = inAddress ? { till: inAddress } : {};
  let isPaired = "paired" in place.dataset;

  // Asks the server; an answer without a body is an empty object.
  async function ask(path, fields = {}, more = {}) {
    const answer = await fetch(place.dataset.base + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...key, ...fields }),
      credentials: "same-origin",
      cache: "no-store",
      ...more,
    });
    const body = await answer.json().catch(() => ({}));
    return { ok: answer.ok, status: answer.status, ...body };
  }

  // One screen at a time. It takes the focus only where a person here asked for it.
  function screen(name, asked) {
    stopScreen();
    stopScreen = () => {};
    place.replaceChildren(byId(`screen-${name}`).content.cloneNode(true));
    const shown = place.firstElementChild;
    said.textContent = shown.querySelector("h2").textContent;
    if (asked) shown.focus();
    return shown;
  }

  const part = (shown, name) => shown.querySelector(`[data-${name}]`);
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${`${Math.floor(seconds % 60)}`.padStart(2, "0")}`;

  // Pairing

  function pair(asked) {
    const shown = screen("pair", asked);
    const on = (which) => {
      for (const one of shown.querySelectorAll("[data-on]")) one.hidden = one.dataset.on !== which;
    };
    const over = (words) => {
      stopScreen();
      part(shown, "words").textContent = words;
      on("over");
    };
    part(shown, "new-code").addEventListener("click", () => pair(true));
    ask("pair").then(
      (answer) => (answer.code ? waitForManager(shown, answer, on, over) : over(answer.detail ?? NO_CONNECTION)),
      () => over(NO_CONNECTION),
    );
  }

  function waitForManager(shown, asked, on, over) {
    if (!shown.isConnected) return;
    const until = performance.now() + asked.expires_in * 1000;
    const status = part(shown, "status");
    part(shown, "code").textContent = asked.code;
    on("waiting");
    const goAway = () => { ask("pair/leave", { poll: asked.poll }, { keepalive: true }).catch(() => {}); };
    const count = () => { part(shown, "left").textContent = clock(Math.max(0, (until - performance.now()) / 1000)); };
    const AFTER = {
      waiting() { status.textContent = "Waiting for the manager…"; },
      paired() {
        isPaired = true;
        stopScreen();
        host.begin();
      },
      storage() { storage(); },
      over() { over("This code counts no more: it was refused, or ten minutes are over."); },
    };
    const poll = () => ask("pair/poll", { poll: asked.poll }).then(
      ({ state }) => { if (shown.isConnected) AFTER[state]?.(); },
      () => { status.textContent = "No connection. We go on trying…"; },
    );
    const timers = [setInterval(poll, asked.poll_seconds * 1000), setInterval(count, 1000)];
    addEventListener("pagehide", goAway);
    stopScreen = () => {
      timers.forEach(clearInterval);
      removeEventListener("pagehide", goAway);
    };
    count();
    // At once: a browser that keeps nothing is told so before a manager comes.
    poll();
  }

  function storage() {
    const shown = screen("storage", false);
    part(shown, "host").textContent = location.host;
  }

  // Who is it?

  function names(asked) {
    const shown = screen("names", asked);
    part(shown, "till").textContent = people.till;
    for (const person of people.people) {
      const button = document.createElement("button");
      button.type = "button";
      button.dir = "auto";
      button.textContent = person.name;
      button.addEventListener("click", () => pin({ associate: person.id }, person.name, true));
      const line = document.createElement("li");
      line.append(button);
      part(shown, "names").append(line);
    }
    part(shown, "nobody").hidden = people.people.length > 0;
    part(shown, "badge").hidden = people.people.length === 0;
    part(shown, "look-again").addEventListener("click", () => host.begin());
    part(shown, "badge").addEventListener("submit", (event) => {
      event.preventDefault();
      const badge = byId("badge").value.trim();
      if (badge) pin({ badge }, "Badge scanned", true);
    });
  }

  // Steps of typing: the PIN; after a start PIN one's own, twice.
  function pin(who, name, asked) {
    const shown = screen("pin", asked);
    const field = shown.querySelector("[data-pin]");
    const label = shown.querySelector("label");
    const status = part(shown, "status");
    const wrong = part(shown, "wrong");
    let start = "";
    let chosen = "";
    let busy = false;

    const step = (how, labelled, words) => {
      field.value = "";
      part(shown, "how").textContent = how;
      label.textContent = labelled;
      part(shown, "go").textContent = start ? "Go on" : "Sign in";
      wrong.textContent = words;
      wrong.hidden = !words;
    };
    const first = (words = "") => { start = chosen = ""; step("", "PIN", words); };
    const choose = (words = "") => {
      chosen = "";
      step(`Choose a PIN of your own: ${people.pin_digits} digits that follow no pattern. Nobody else ever knows it.`, "New PIN", words);
    };
    const repeat = () => step("Type your new PIN once more.", "New PIN, again", "");

    const wait = (seconds) => {
      const until = performance.now() + seconds * 1000;
      const left = () => Math.ceil((until - performance.now()) / 1000);
      busy = true;
      const timer = setInterval(() => {
        status.textContent = left() > 0 ? `You can try again in ${clock(left())}.` : "";
        if (left() > 0) return;
        clearInterval(timer);
        busy = false;
      }, 1000);
      stopScreen = () => clearInterval(timer);
    };

    const judge = (answer) => {
      if (answer.bearer) {
        hide();
        host.signedIn(answer);
      } else if (answer.next === "new_pin") {
        start = field.value;
        choose();
      } else if (answer.next) {
        host.askWho(answer);
      } else if (answer.status === 422 && start) {
        choose(answer.detail);
      } else {
        first(answer.detail ?? "That did not work. Try again.");
        if (answer.wait) wait(answer.wait);
      }
    };

    async function send(fields) {
      busy = true;
      const timers = [
        setTimeout(() => { status.textContent = "Signing in…"; }, SAY_AFTER_MS),
        setTimeout(() => { status.textContent = "This takes longer than usual. Please wait."; }, SLOW_AFTER_MS),
      ];
      let answer = null;
      try {
        answer = await ask("people/sign-in", { ...who, ...fields });
      } catch {
        answer = { detail: NO_CONNECTION };
      }
      timers.forEach(clearTimeout);
      if (!shown.isConnected) {
        if (answer.bearer && !isSignedIn()) signOut();
        return;
      }
      status.textContent = "";
      busy = false;
      judge(answer);
    }

    const go = () => {
      if (busy || !field.value) return;
      if (!start) send({ pin: field.value });
      else if (!chosen) { chosen = field.value; repeat(); }
      else if (chosen !== field.value) choose("The two were not the same. Choose once more.");
      else send({ pin: start, new_pin: chosen });
    };

    part(shown, "who").textContent = name;
    first();
    if (asked) field.focus();
    // A digit typed here goes into the field, though nobody asked us to put the focus there.
    shown.ownerDocument.addEventListener("keydown", ({ key: typed }) => {
      if (shown.isConnected && /^\d$/.test(typed) && !document.activeElement.matches("input")) field.focus();
    });
    field.addEventListener("input", () => { if (field.value.length >= people.pin_digits) go(); });
    part(shown, "enter").addEventListener("submit", (event) => { event.preventDefault(); go(); });
    part(shown, "somebody-else").addEventListener("click", () => names(true));
  }

  const lastOne = () => people.people.find((person) => person.id === people.last);

  function askPeople(answer) {
    people = answer;
    const last = lastOne();
    if (last) pin({ associate: last.id }, last.name, false);
    else names(false);
  }

  function hide() {
    stopScreen();
    stopScreen = () => {};
    place.replaceChildren();
  }

  // Locking

  const isSignedIn = () => idle !== Infinity;

  // The page is empty at once, whether or not the server hears of it; it is told before anybody can
  // go on.
  async function lock(why) {
    owed = { why };
    host.leave();
    try {
      host.askWho(await settle());
    } catch {
      host.cannotAsk();
    }
  }

  // Whoever went away before the answer came is not signed in for whoever comes next.
  function signOut() {
    owed = { why: "" };
    settle().catch(() => {});
  }

  // What is still to be told to the server, before anything else is asked of it.
  async function settle() {
    if (!owed) return null;
    const answer = await ask("people/lock", owed);
    owed = null;
    return answer;
  }

  const noteAct = (event) => {
    if (!event.isTrusted || !isSignedIn()) return;
    acted = performance.now();
    if (acted - told < TELL_EVERY_MS) return;
    told = acted;
    document.body.dispatchEvent(new Event("panel:person"));
  };
  for (const name of ["pointerdown", "keydown"]) addEventListener(name, noteAct, { capture: true, passive: true });
  setInterval(() => { if (performance.now() - acted > idle) lock("idle"); }, 1000);

  leave.querySelector("[data-lock]").addEventListener("click", () => lock(""));
  leave.querySelector("[data-shift-end]").addEventListener("click", () => lock("shift_end"));

  // The number pad, here and in the dialog for a manager.
  document.addEventListener("click", ({ target }) => {
    const digit = target.closest("[data-digit]")?.dataset.digit;
    if (!digit) return;
    const field = target.closest(".pin").querySelector("[data-pin]");
    if (digit === "clear") field.value = "";
    else if (digit === "back") field.value = field.value.slice(0, -1);
    else if (field.value.length < field.maxLength) field.value += digit;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });

  window.loyaltyPeople = Object.freeze({
    // `host` has begin, askWho, signedIn, leave and cannotAsk.
    serve(given) { host = given; },
    // What a launch says of this till beside nothing.
    key: () => key,
    // Known by its key, so that nobody waits for a POS to say who is here.
    isPaired: () => Boolean(inAddress) || isPaired,
    settle,
    show(answer) {
      idle = Infinity;
      leave.hidden = true;
      const SCREENS = { pair: () => pair(false), storage, people: () => askPeople(answer) };
      SCREENS[answer.next]?.();
    },
    hide,
    // A launch or a sign-in gave a bearer; only at a till of this kind it tells how long one may rest.
    signedIn({ idle_seconds }) {
      hide();
      leave.hidden = !idle_seconds;
      if (!isSignedIn()) acted = told = performance.now();
      idle = idle_seconds ? idle_seconds * 1000 : Infinity;
    },
  });
})();
