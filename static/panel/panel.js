/* The panel's own script: launch and bearer, what is said while one waits, the dialog, the focus.
   The bearer lives in this closure alone: in the page it would land in the DOM's snapshots. */
(() => {
  "use strict";

  const RENEW_BEFORE_MS = 30_000;
  // Most answers are quicker than the first; from the second on, one wonders.
  const SAY_AFTER_MS = 150;
  const SLOW_AFTER_MS = 2_000;
  const NO_ANSWER = "No answer. Check the network, then try again: nothing is done twice.";

  const byId = (id) => document.getElementById(id);
  const on = (name, act) => document.addEventListener(name, act);
  const page = byId("panel");
  const lookUp = byId("lookup");
  const query = byId("query");
  const result = byId("result");
  const alertRegion = byId("alert");
  const said = byId("said");
  const dialogs = byId("dialog");
  const start = [...result.children];
  const people = window.loyaltyPeople;
  let bearer = null;
  let launching = null;
  let failed = null;
  let opener = null;
  const retried = new WeakSet();

  // In the alert region or, as that lies behind an open dialog, in the dialog that asked.
  const say = (text, elt, way) => {
    const words = document.createElement("p");
    words.className = "alert";
    words.textContent = text;
    const dialog = elt?.closest("dialog[open]");
    if (dialog) {
      words.setAttribute("role", "alert");
      takeBack(dialog);
      dialog.querySelector(".row.end").before(words);
      return;
    }
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.dataset[way] = "";
    button.textContent = way === "reload" ? "Reload" : "Try again";
    alertRegion.replaceChildren(words, button);
    alertRegion.scrollIntoView({ block: "nearest" });
  };

  const takeBack = (dialog) => dialog?.querySelector("[role=alert]")?.remove();

  // Launch and bearer

  async function trade() {
    await people.settle();
    const answer = await fetch(page.dataset.launch, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(people.key()),
      // The cookie of a paired till, where there is one.
      credentials: "same-origin",
      cache: "no-store",
    });
    const body = await answer.json().catch(() => ({}));
    if (body.next) throw new NobodyHere(body);
    if (!answer.ok) throw new Error(body.detail || "This panel could not be opened.");
    take(body);
  }

  // The till is not paired, or nobody is signed in at it: what the server says to show.
  class NobodyHere extends Error {
    constructor(answer) {
      super("Nobody is signed in.");
      this.answer = answer;
    }
  }

  function take(body) {
    const life = body.expires_in * 1000;
    bearer = { token: body.bearer, until: performance.now() + life - Math.min(RENEW_BEFORE_MS, life / 2) };
    people.signedIn(body);
  }

  // Single flight: however many requests wait for a bearer, one launch serves them all.
  function launch() {
    launching ??= trade().finally(() => { launching = null; });
    return launching;
  }

  const begin = () => {
    alertRegion.replaceChildren();
    launch().then(open, sayWhyNot());
  };

  const open = () => {
    if (page.classList.contains("over")) {
      page.classList.remove("over");
      result.replaceChildren(...start);
    }
    document.body.dispatchEvent(new Event("panel:ready"));
  };

  const ready = () => (bearer && performance.now() < bearer.until ? Promise.resolve() : launch());

  // Nobody may act here any more, so nothing of a customer stays in sight, and what was asked for
  // and not answered yet never comes.
  const clear = () => {
    bearer = null;
    for (const asking of document.querySelectorAll(".htmx-request")) htmx.trigger(asking, "htmx:abort");
    closeDialog();
    dialogs.replaceChildren();
    alertRegion.replaceChildren();
    result.replaceChildren();
    said.textContent = "";
    byId("session").textContent = "";
    query.value = "";
    page.classList.add("over");
  };

  const sessionOver = (text) => {
    const held = document.activeElement !== document.body;
    clear();
    say(text, null, "reload");
    if (held) alertRegion.lastChild.focus();
  };

  people.serve({
    begin,
    clear,
    askWho(answer) {
      clear();
      people.show(answer);
    },
    signedIn(body) {
      take(body);
      open();
    },
    cannotAsk: () => say("No connection. Check the network, then try again.", null, "again"),
  });

  const sayWhyNot = (elt) => (error) => {
    if (error instanceof NobodyHere) {
      clear();
      people.show(error.answer);
      return;
    }
    if (!(error instanceof TypeError)) {
      sessionOver(`${error.message} Reload the panel to go on.`);
      return;
    }
    failed = elt;
    say("No connection. Check the network, then try again.", elt, "again");
  };

  on("htmx:confirm", (event) => {
    event.preventDefault();
    // One at a time: no other dialog while one still asks, seen or unseen.
    if (event.detail.target === dialogs && isAsking()) return;
    ready().then(() => event.detail.issueRequest(true), sayWhyNot(event.detail.elt));
  });

  on("htmx:configRequest", (event) => {
    event.detail.headers.Authorization = `Bearer ${bearer.token}`;
    // What somebody does here keeps them signed in; what the page asks of its own accord does not.
    if (/click|submit|change|panel:person/.test(event.detail.triggeringEvent?.type)) event.detail.headers["X-By-Person"] = "1";
  });

  // A poll, or a field's check.
  const isUnasked = ({ triggeringEvent }) => !/click|submit/.test(triggeringEvent?.type);

  // While one waits

  const waits = new Map();
  function startWaiting({ elt, xhr, target }) {
    const place = elt.closest("dialog, .card")?.querySelector(".busy") ?? byId("busy");
    const words = elt.dataset.busy ?? "Asking the loyalty system…";
    const advice = elt === lookUp ? "Wait for it, or stop and look up again." : "Please wait: nothing is done twice.";
    const sayAsking = () => { place.textContent = words; };
    const saySlow = () => {
      place.textContent = `The loyalty system is slow just now. ${advice}`;
      place.classList.toggle("may-stop", elt === lookUp);
    };
    waits.set(xhr, { elt, place, timers: [setTimeout(sayAsking, SAY_AFTER_MS), setTimeout(saySlow, SLOW_AFTER_MS)] });
    elt.setAttribute("aria-busy", "true");
    // Whoever is asked for now, the one before can't be redeemed for by mistake.
    if (target === result && !result.contains(elt)) result.inert = true;
  }

  function endWaiting({ xhr }) {
    const wait = waits.get(xhr);
    if (!wait) return;
    waits.delete(xhr);
    wait.timers.forEach(clearTimeout);
    wait.place.textContent = "";
    wait.place.classList.remove("may-stop");
    wait.elt.removeAttribute("aria-busy");
    result.inert = false;
  }

  on("htmx:beforeRequest", (event) => {
    const { elt, requestConfig, target } = event.detail;
    if (isUnasked(requestConfig)) return;
    alertRegion.replaceChildren();
    takeBack(elt.closest("dialog"));
    query.removeAttribute("aria-invalid");
    if (target === dialogs) opener = requestConfig.triggeringEvent.submitter;
    startWaiting(event.detail);
  });

  // Somebody else was asked for: the one before must not be redeemed for by mistake.
  const clearAfterFailedLookUp = (elt) => {
    if (elt === lookUp) result.replaceChildren();
  };

  // An expired bearer: renew and send the same form once more. Its act key is the same, so
  // what was done already is not done again.
  on("htmx:afterRequest", (event) => {
    const { elt, xhr, requestConfig } = event.detail;
    endWaiting(event.detail);
    if (xhr.status !== 401) {
      retried.delete(elt);
      return;
    }
    bearer = null;
    if (retried.has(elt)) {
      sessionOver("This panel's session is over. Reload it to go on.");
      return;
    }
    retried.add(elt);
    launch().then(
      () => htmx.ajax(requestConfig.verb, requestConfig.path, { source: elt, event: requestConfig.triggeringEvent }),
      sayWhyNot(elt),
    );
  });

  for (const failure of ["htmx:sendError", "htmx:timeout"]) {
    on(failure, (event) => {
      const { elt } = event.detail;
      clearAfterFailedLookUp(elt);
      failed = elt;
      say(NO_ANSWER, elt, "again");
    });
  }

  // The dialog

  const isAsking = () => dialogs.querySelector(".htmx-request") !== null;

  const closeDialog = () => dialogs.querySelector("dialog")?.close();

  // Closed while it asks, a dialog stays unseen until its answer has found its place by it.
  const clearAway = () => {
    if (!dialogs.querySelector("dialog")?.open && !isAsking()) dialogs.replaceChildren();
  };

  on("htmx:afterSwap", (event) => {
    const dialog = dialogs.querySelector("dialog");
    if (event.detail.target !== dialogs || !dialog) return;
    dialog.querySelector("[data-whose]").textContent = document.querySelector("#member h2").textContent;
    dialog.showModal();
  });

  on("panel:answered", closeDialog);
  // Later, for htmx tells of a failure after it.
  on("htmx:afterRequest", () => queueMicrotask(clearAway));
  // `close` does not bubble; a dialog also closes by the Escape key.
  dialogs.addEventListener("close", clearAway, true);

  // What is on the screen by now may be another member, or newer than the answer. Where only the
  // button was drawn anew meanwhile, the answer still counts: a dialog of the member who is shown,
  // an undo of the code that is shown.
  function isTooLate({ requestConfig, target }) {
    if (requestConfig.elt.isConnected) return false;
    const shown = target === dialogs ? byId("member") : target.firstElementChild;
    const about = shown?.dataset.about;
    return isUnasked(requestConfig) || !about || !requestConfig.path.includes(about);
  }

  on("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    const dialog = requestConfig.elt.closest("dialog");
    // What comes may take the focus.
    endWaiting(event.detail);
    if (isTooLate(event.detail)) {
      event.detail.shouldSwap = false;
    } else if (dialog && xhr.responseText.trimStart().startsWith("<dialog")) {
      // Asked again (another code is open already), it takes its own place.
      event.detail.target = dialogs;
      event.detail.shouldSwap = dialog.open;
    } else if (xhr.status >= 400 && xhr.getResponseHeader("HX-Retarget") === "#alert") {
      failed = dialog ? opener : requestConfig.elt;
      closeDialog();
      clearAfterFailedLookUp(requestConfig.elt);
      if (requestConfig.elt === lookUp && xhr.status === 422) query.setAttribute("aria-invalid", "true");
    }
  });

  // A code that was asked for further down, and whose it is, come into view together.
  function showTogether() {
    const member = byId("member");
    const slot = byId("coupon-slot");
    const cutOff = member.getBoundingClientRect().top < 0 || slot.getBoundingClientRect().bottom > innerHeight;
    if (cutOff) member.scrollIntoView();
  }

  // What a reader of the screen is told: short, and not again while nothing changed.
  function speak(target) {
    const parts = [...target.querySelectorAll("[data-say]")].map((part) => part.textContent.trim());
    const words = parts.map((part) => (/[.!]$/.test(part) ? part : `${part}.`)).join(" ");
    if (words && words !== said.textContent) said.textContent = words;
  }

  // The panel is asked to try again only when it may, and only what is still there.
  function readyTheWayOut() {
    const button = alertRegion.querySelector("[data-again]");
    if (!button) return;
    if (!failed?.isConnected) button.remove();
    const seconds = Number(button.dataset.wait);
    if (!seconds) return;
    button.disabled = true;
    setTimeout(() => { button.disabled = false; }, seconds * 1000);
  }

  on("htmx:afterSettle", (event) => {
    const { target, requestConfig } = event.detail;
    if (!target) return;
    if (target === alertRegion) readyTheWayOut();
    else if (requestConfig.elt.getAttribute("hx-swap") !== "none") speak(target);
    if (target.id === "coupon-slot" && byId("member") && !isUnasked(requestConfig)) showTogether();
    // What was asked for in the dialog is what comes next, not the button that opened it.
    if (requestConfig.elt.closest("dialog") && document.activeElement === opener) target.firstElementChild?.focus({ preventScroll: true });
    target.querySelector("[data-first]")?.focus();
    keepFocus();
  });

  // The focus is never taken from the sale. But where what held it was drawn anew or went away, it
  // goes on in its place: else a keyboard would begin at the top again.

  let held = null;
  on("focusin", (event) => { held = event.target; });
  // Left by hand it is let go; taken out of the page it is not.
  on("focusout", ({ target }) => queueMicrotask(() => { if (target === held && target.isConnected) held = null; }));

  function keepFocus() {
    if (!held || held.isConnected || document.activeElement !== document.body || !document.hasFocus()) return;
    const first = (selector) => document.querySelector(selector);
    const next = (held.id && byId(held.id))
      || first("#alert button:enabled")
      || first("#coupon-slot > section")
      || first("#result section[tabindex]")
      || query;
    next.focus({ preventScroll: true });
  }

  // What a variable offer is worth, while typing

  const money = (cents, currency) => {
    const form = new Intl.NumberFormat(undefined, { style: "currency", currency });
    return form.format(cents / 10 ** Math.min(form.resolvedOptions().maximumFractionDigits, 2));
  };

  on("input", ({ target: field }) => {
    field.removeAttribute("aria-invalid");
    if (!field.dataset.rate) return;
    // As the server reads it: a comma counts only between groups of three digits.
    const typed = field.value.replace(/\s/g, "");
    const points = /^(\d+|\d{1,3}(,\d{3})+)$/.test(typed) ? Number(typed.replaceAll(",", "")) : NaN;
    const most = Number(field.dataset.most);
    const worth = points >= 1 && points <= most
      ? `Worth ${money(Math.floor(points * field.dataset.rate + 1e-9), field.dataset.currency)}`
      : `Type a whole number from 1 to ${most.toLocaleString()}.`;
    byId(field.dataset.worth).textContent = typed && worth;
  });

  // A payment card's number was typed: it must not stay in sight either.
  on("panel:forget", (event) => {
    const field = event.target.matches("input") ? event.target : event.target.querySelector("input");
    if (field) field.value = "";
  });

  // How long the code is kept, counted from when it was drawn: no clock is compared.
  setInterval(() => {
    const lease = document.querySelector("[data-lease]");
    if (!lease) return;
    lease.until ??= performance.now() + lease.dataset.lease * 1000;
    const left = Math.round((lease.until - performance.now()) / 1000);
    lease.textContent = left > 0 ? `${Math.floor(left / 60)}:${`${left % 60}`.padStart(2, 0)}` : lease.dataset.over;
  }, 1000);

  // Buttons of our own

  async function copy(button) {
    const source = document.querySelector(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.textContent = "Copied";
    } catch {
      // A frame without clipboard rights: select it, so that one key copies.
      getSelection().selectAllChildren(source);
      button.textContent = "Selected: press Ctrl+C";
    }
    said.textContent = button.textContent;
  }

  const startAgain = () => {
    htmx.trigger(lookUp, "htmx:abort");
    alertRegion.replaceChildren();
    result.replaceChildren(...start);
    query.focus();
  };

  const tryAgain = () => {
    if (!failed) begin();
    else if (failed.matches("form")) failed.requestSubmit();
    else failed.click();
  };

  const ACTS = {
    copy,
    cancel: startAgain,
    stop: startAgain,
    next() {
      query.value = "";
      startAgain();
      scrollTo(0, 0);
    },
    close: closeDialog,
    again: tryAgain,
    reload: () => location.reload(),
  };

  on("click", (event) => {
    const button = event.target.closest("button");
    for (const name in button?.dataset) ACTS[name]?.(button);
  });

  begin();
})();
