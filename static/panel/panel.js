/* The panel's own script: launch and bearer, the dialog, and small help while typing.
   The bearer lives in this closure alone: in the page it would land in the DOM's snapshots. */
(() => {
  "use strict";

  const RENEW_BEFORE_MS = 30_000;
  const page = document.getElementById("panel");
  const alertRegion = document.getElementById("alert");
  let bearer = null;
  let launching = null;
  const retried = new WeakSet();

  // In the alert region or, as that lies behind an open dialog, in the dialog that asked.
  const say = (text, elt) => {
    const words = document.createElement("p");
    words.className = "alert";
    words.textContent = text;
    const dialog = elt?.closest("dialog[open]");
    if (dialog) {
      words.setAttribute("role", "alert");
      takeBack(dialog);
      dialog.querySelector(".row.end").before(words);
    } else {
      alertRegion.replaceChildren(words);
      alertRegion.scrollIntoView({ block: "nearest" });
    }
  };

  const takeBack = (dialog) => dialog?.querySelector("[role=alert]")?.remove();

  async function trade() {
    const answer = await fetch(page.dataset.launch, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
      credentials: "omit",
      cache: "no-store",
    });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(body.detail || "This panel could not be opened. Reload it.");
    const life = body.expires_in * 1000;
    bearer = { token: body.bearer, until: performance.now() + life - Math.min(RENEW_BEFORE_MS, life / 2) };
  }

  // Single flight: however many requests wait for a bearer, one launch serves them all.
  function launch() {
    launching ??= trade().finally(() => { launching = null; });
    return launching;
  }

  const ready = () => (bearer && performance.now() < bearer.until ? Promise.resolve() : launch());

  const sayWhyNot = (elt) => (error) =>
    say(error instanceof TypeError ? "No connection. Check the network, then try again." : error.message, elt);

  document.addEventListener("htmx:confirm", (event) => {
    event.preventDefault();
    // One at a time: no other dialog while one still asks, seen or unseen.
    if (event.detail.target === dialogs && isAsking()) return;
    ready().then(() => event.detail.issueRequest(true), sayWhyNot(event.detail.elt));
  });

  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers.Authorization = `Bearer ${bearer.token}`;
  });

  const isPoll = (config) => config.triggeringEvent == null || config.triggeringEvent.type === "load";

  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, requestConfig } = event.detail;
    if (isPoll(requestConfig)) return;
    alertRegion.replaceChildren();
    takeBack(elt.closest("dialog"));
  });

  // Somebody else was asked for: the one before must not be redeemed for by mistake.
  const clearAfterFailedLookUp = (elt) => {
    if (elt.id === "lookup") document.getElementById("result").replaceChildren();
  };

  // An expired bearer: renew and send the same form once more. Its act key is the same, so
  // what was done already is not done again.
  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, xhr, requestConfig } = event.detail;
    if (xhr.status !== 401) {
      retried.delete(elt);
      return;
    }
    bearer = null;
    if (retried.has(elt)) {
      say("This panel's session is over. Reload it.", elt);
      return;
    }
    retried.add(elt);
    launch().then(
      () => htmx.ajax(requestConfig.verb, requestConfig.path, { source: elt, event: requestConfig.triggeringEvent }),
      sayWhyNot(elt),
    );
  });

  for (const failure of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(failure, (event) => {
      clearAfterFailedLookUp(event.detail.elt);
      say("No answer. Check the network, then try again: nothing is done twice.", event.detail.elt);
    });
  }

  // The dialog

  const dialogs = document.getElementById("dialog");
  const isAsking = () => dialogs.querySelector(".htmx-request") !== null;

  const closeDialog = () => dialogs.querySelector("dialog")?.close();

  // Closed while it asks, a dialog stays unseen until its answer has found its place by it.
  const clearAway = () => {
    if (!dialogs.querySelector("dialog")?.open && !isAsking()) dialogs.replaceChildren();
  };

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target === dialogs) dialogs.querySelector("dialog")?.showModal();
  });

  document.addEventListener("panel:answered", closeDialog);
  // Later, for htmx tells of a failure after it.
  document.addEventListener("htmx:afterRequest", () => queueMicrotask(clearAway));
  // `close` does not bubble; a dialog also closes by the Escape key.
  dialogs.addEventListener("close", clearAway, true);

  // What is on the screen by now may be another member, or newer than the answer. Where only the
  // button was drawn anew meanwhile, the answer still counts: a dialog of the member who is shown,
  // an undo of the code that is shown.
  function isTooLate({ requestConfig, target }) {
    if (requestConfig.elt.isConnected) return false;
    const shown = target === dialogs ? document.getElementById("member") : target.firstElementChild;
    const about = shown?.dataset.about;
    return isPoll(requestConfig) || !about || !requestConfig.path.includes(about);
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig } = event.detail;
    const dialog = requestConfig.elt.closest("dialog");
    if (isTooLate(event.detail)) {
      event.detail.shouldSwap = false;
    } else if (dialog && xhr.responseText.trimStart().startsWith("<dialog")) {
      // Asked again (another code is open already), it takes its own place.
      event.detail.target = dialogs;
      event.detail.shouldSwap = dialog.open;
    } else if (xhr.status >= 400 && xhr.getResponseHeader("HX-Retarget") === "#alert") {
      closeDialog();
      clearAfterFailedLookUp(requestConfig.elt);
    }
  });

  // A code that was asked for further down, and whose it is, come into view together.
  document.addEventListener("htmx:afterSettle", (event) => {
    const { target, requestConfig } = event.detail;
    const member = document.getElementById("member");
    if (target?.id !== "coupon-slot" || !member || isPoll(requestConfig)) return;
    const cutOff = member.getBoundingClientRect().top < 0 || target.getBoundingClientRect().bottom > innerHeight;
    if (cutOff) member.scrollIntoView();
  });

  // What a variable offer is worth, while typing

  const money = (cents, currency) => {
    const form = new Intl.NumberFormat(undefined, { style: "currency", currency });
    return form.format(cents / 10 ** Math.min(form.resolvedOptions().maximumFractionDigits, 2));
  };

  document.addEventListener("input", (event) => {
    const field = event.target;
    if (!(field instanceof HTMLInputElement) || !field.dataset.rate) return;
    // As the server reads it: a comma counts only between groups of three digits.
    const typed = field.value.replace(/\s/g, "");
    const points = /^(\d+|\d{1,3}(,\d{3})+)$/.test(typed) ? Number(typed.replaceAll(",", "")) : NaN;
    const most = Number(field.dataset.most);
    const words = document.getElementById(field.dataset.worth);
    if (!typed) words.textContent = "";
    else if (!(points >= 1 && points <= most)) words.textContent = `Type a whole number from 1 to ${most.toLocaleString()}.`;
    else words.textContent = `Worth ${money(Math.floor(points * Number(field.dataset.rate) + 1e-9), field.dataset.currency)}`;
  });

  // A payment card's number was typed: it must not stay in sight either.
  document.addEventListener("panel:forget", (event) => {
    const field = event.target.matches("input") ? event.target : event.target.querySelector("input");
    if (field) field.value = "";
  });

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
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.copy) copy(button);
    if (button?.dataset.clear) document.querySelector(button.dataset.clear).replaceChildren();
    if (button && "close" in button.dataset) closeDialog();
  });

  launch().then(() => document.body.dispatchEvent(new Event("panel:ready")), sayWhyNot());
})();
