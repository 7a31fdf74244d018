/* The panel's own script: launch and bearer, the sale beside it, what is said while one waits, the
   dialog, the focus. The bearer lives in this closure alone: in the page it would land in the DOM's
   snapshots. */
(() => {
  "use strict";

  const RENEW_BEFORE_MS = 30_000;
  // Most answers are quicker than the first; from the second on, one wonders.
  const SAY_AFTER_MS = 150;
  const SLOW_AFTER_MS = 2_000;
  const NO_HOST_AFTER_MS = 4_000;
  const TELL_AGAIN_AFTER_MS = 2_000;
  const TELL_TIMES = 10;
  const PUTTING = "Putting it on the sale…";
  const NO_ANSWER = "No answer. Check the network, then try again: nothing is done twice.";

  // htmx keeps the page's address, with what a POS wrote into it, where the browser lets it.
  try {
    sessionStorage.removeItem("htmx-current-path-for-history");
  } catch { /* nothing is kept in this frame */ }

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
  // Grow when somebody else may act, and when nobody is served any more: what was begun before then
  // and is not asked yet is let go.
  let turn = 0;
  let visit = 0;
  const retried = new WeakSet();

  const BUTTONS = { reload: "Reload", again: "Try again", dismiss: "It is off" };

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
    button.textContent = BUTTONS[way];
    alertRegion.replaceChildren(words, button);
    alertRegion.scrollIntoView({ block: "nearest" });
  };

  const takeBack = (dialog) => dialog?.querySelector(".alert[role=alert]")?.remove();

  // Launch and bearer

  let host = null;
  const origins = JSON.parse(page.dataset.origins);
  const mayHaveHost = panelBridge.isFramed && origins.length > 0 && !("noBridge" in page.dataset);
  let hostIsKnown = null;
  const hostOrNone = new Promise((resolve) => { hostIsKnown = resolve; });

  // What proves who is here: a code that came with the page, else a token of the POS. The demo asks
  // for nothing; a till that is paired has its key, in the address or in a cookie.
  async function proof() {
    const { code, refused } = page.dataset;
    if (refused) throw new Error(refused);
    if (code) {
      delete page.dataset.code;
      return { code };
    }
    if (people.isPaired()) return people.key();
    await hostOrNone;
    if (!host?.can("launch.request")) return {};
    return { token: (await host.ask("launch.request", {})).token };
  }

  async function trade() {
    const mine = turn;
    await people.settle();
    const proven = await proof();
    if (mine !== turn) throw new LetGo();
    const answer = await fetch(page.dataset.launch, {
      method: "POST",
      // The one that is held ends with the new one.
      headers: { "Content-Type": "application/json", ...(bearer && { Authorization: `Bearer ${bearer.token}` }) },
      body: JSON.stringify(proven),
      // Only a till that no POS launches has a cookie.
      credentials: proven.token || proven.code ? "omit" : "same-origin",
      cache: "no-store",
    });
    const told = await answer.json().catch(() => ({}));
    if (mine !== turn) throw new LetGo();
    if (told.next) throw new NobodyHere(told);
    if (!answer.ok) throw new Error(told.detail || "This panel could not be opened.");
    take(told);
    sale.id ||= told.sale ?? "";
  }

  function take(told) {
    const life = told.expires_in * 1000;
    bearer = { token: told.bearer, until: performance.now() + life - Math.min(RENEW_BEFORE_MS, life / 2) };
    people.signedIn(told);
  }

  // The till is not paired, or nobody is signed in at it: what the server says to show.
  class NobodyHere extends Error {
    constructor(answer) {
      super("Nobody is signed in.");
      this.answer = answer;
    }
  }

  // It was begun for somebody who acts here no more.
  class LetGo extends Error {}

  // Single flight: however many requests wait for a bearer, one launch serves them all.
  function launch() {
    if (launching) return launching;
    const mine = trade().finally(() => { if (launching === mine) launching = null; });
    launching = mine;
    return mine;
  }

  // A launch that is under way is for whoever was here before.
  const nextTurn = () => {
    turn += 1;
    launching = null;
    for (const asking of document.querySelectorAll(".htmx-request")) htmx.trigger(asking, "htmx:abort");
  };

  const begin = () => {
    isLocked = false;
    alertRegion.replaceChildren();
    launch().then(open, sayWhyNot());
  };

  const open = () => {
    if (page.classList.contains("over")) result.replaceChildren(...start);
    page.classList.remove("over");
    document.body.dispatchEvent(new Event("panel:ready"));
    lookUpUnasked(attached);
  };

  const ready = () => (bearer && performance.now() < bearer.until ? Promise.resolve() : launch());

  // Nobody may act here any more, so nothing of a customer stays in sight.
  const sessionOver = (text, way = "reload") => {
    const held = document.activeElement !== document.body;
    forget();
    result.replaceChildren();
    failed = null;
    say(text, null, way);
    page.classList.add("over");
    if (held) alertRegion.lastChild.focus();
  };

  // Who may act here is asked for: what was asked before and not answered yet never comes.
  const leave = () => {
    bearer = null;
    nextTurn();
    forget();
    dialogs.replaceChildren();
    result.replaceChildren();
    failed = null;
    said.textContent = "";
    if (people.isPaired()) till.textContent = "";
    byId("session").textContent = "";
    page.classList.add("over");
  };

  const askWho = (answer) => {
    leave();
    people.show(answer);
  };

  people.serve({
    begin,
    leave,
    askWho,
    signedIn(told) {
      take(told);
      open();
    },
    cannotAsk: () => say("No connection. Check the network, then try again.", null, "again"),
  });

  const sayWhyNot = (elt) => (error) => {
    if (error instanceof LetGo) return;
    if (error instanceof NobodyHere) {
      askWho(error.answer);
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
    const { elt, issueRequest } = event.detail;
    const asked = { turn, visit };
    const issue = () => {
      if (asked.turn === turn && (asked.visit === visit || elt !== lookUp)) issueRequest(true);
    };
    ready().then(() => withdraw(elt)).then(issue, sayWhyNot(elt));
  });

  on("htmx:configRequest", ({ detail }) => {
    detail.headers.Authorization = `Bearer ${bearer.token}`;
    // What somebody does here keeps them signed in; what the page asks of its own accord does not.
    if (detail.elt === lookUp) lookedUp = query.value;
    if (/click|submit|change|panel:person/.test(detail.triggeringEvent?.type)) detail.headers["X-By-Person"] = "1";
    if (detail.verb !== "post") return;
    if (sale.id) detail.parameters.sale = sale.id;
    if (withdrawn.has(detail.elt)) detail.parameters.withdrawn = "1";
  });

  // A poll, or a field's check.
  const isUnasked = ({ triggeringEvent }) => !/click|submit/.test(triggeringEvent?.type);

  // The sale beside the panel, as the POS's page tells of it

  // `seen`: its codes were told. A lower `rev` of the same sale is old news. The total is what is
  // left to pay, as its till reckons; null where it was not told. `rung`: something was to pay.
  const newSale = (id) => ({ id, rev: -1, coupons: [], seen: false, totalCents: null, rung: false, currency: "" });
  let sale = newSale(page.dataset.sale ?? "");
  const till = byId("till");
  const sent = new Set();
  // The till was asked to put them on, and did not answer: it may have done so.
  const unsure = new Set();
  let withdrawn = new WeakSet();
  let lookedUp = "";
  // Who is on the sale, where that was told while nobody may act here.
  let attached = "";
  let isLocked = false;

  // Whose sale it is: as the till named them, and once they were shown, who that is.
  let buyer = { told: "", about: "", name: "" };
  const noteBuyer = (told, member) => {
    buyer = { told, about: member?.dataset.about ?? "", name: member?.querySelector("h2").textContent.trim() ?? "" };
  };

  // Nothing of a customer stays in sight or in a field.
  const forget = () => {
    visit += 1;
    attached = "";
    noteBuyer("");
    closeDialog();
    clear();
    query.value = "";
    page.classList.remove("has-customer");
  };

  const send = (path, fields, token) => fetch(path, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}` },
    body: new URLSearchParams(fields),
    credentials: "omit",
    cache: "no-store",
  });

  async function post(path, fields, again = true) {
    await ready();
    const { token } = bearer;
    const answer = await send(path, fields, token);
    if (answer.status === 401 && again) {
      if (bearer?.token === token) bearer = null;
      return post(path, fields, false);
    }
    return answer;
  }

  // In order, and again where the network fails: said twice it changes nothing. Not for ever: what is
  // told much later may be untrue by then. Where somebody else acts by now, it is not them who did it.
  let telling = Promise.resolve();
  const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
  async function tellSurely(path, fields, mine) {
    for (let time = 1; time <= TELL_TIMES; time += 1) {
      const late = mine === turn ? [] : [["late", "1"]];
      const answer = await post(path, [...fields, ...late]).catch(() => null);
      if (answer && answer.status < 500 && answer.status !== 401) return answer;
      await pause(TELL_AGAIN_AFTER_MS * time);
    }
    return null;
  }

  function tell(path, fields) {
    const mine = turn;
    const answer = telling.then(() => tellSurely(path, fields, mine));
    telling = answer;
    return answer;
  }

  // `coupons` are undefined where the till did not say which.
  async function tellTicket(event, id, coupons) {
    const codes = coupons?.map((code) => ["coupons", code]) ?? [["untold", "1"]];
    const answer = await tell(page.dataset.ticket, [["event", event], ["sale", id], ...codes]);
    const { changed = [] } = answer?.ok ? await answer.json() : {};
    changed.forEach(drawAnew);
  }

  // Beside what is told of the ticket, for a code taken off after this must not look put on after it.
  const tellApplied = ({ appliedHref, member }, id) => tell(appliedHref, [["member", member], ["sale", id]]);

  // Only a code that is still on the screen.
  function drawAnew(id) {
    const card = document.querySelector(`#coupon-slot > [data-about="${CSS.escape(id)}"]`);
    if (card?.dataset.href) htmx.ajax("GET", card.dataset.href, { source: card, target: "#coupon-slot" });
  }

  // After a reload, or with a sale that was parked: its code is shown as if it had been made just now.
  function showCodeOfSale() {
    if (!byId("member") || byId("coupon-slot").firstElementChild) return;
    const onSale = sale.coupons.map((code) => code.toUpperCase());
    const pending = [...document.querySelectorAll("#pending [data-shows]")].find((button) => onSale.includes(button.dataset.shows.toUpperCase()));
    if (pending) htmx.ajax("GET", pending.getAttribute("hx-get"), { source: pending, target: "#coupon-slot" });
  }

  // A code that was just made goes on the sale without another tap, once.
  function putOnSaleAtOnce(card) {
    if (!host?.can("discount.apply") || !card?.dataset.code) return;
    card.classList.add("with-till");
    if (card.dataset.fresh && !sent.has(card.dataset.about)) putOnSale(card);
  }

  async function putOnSale(card) {
    const { about, code, cents, currency, label } = card.dataset;
    const words = card.querySelector("[data-at-till]");
    // Another may be beside us by the time it answers.
    const { id } = sale;
    sent.add(about);
    withdrawn = new WeakSet();
    words.className = "hint";
    words.textContent = PUTTING;
    try {
      await host.ask("discount.apply", { code, redemptionId: about, valueCents: cents ? Number(cents) : null, currency, label });
    } catch (error) {
      if (error.code === "timeout") unsure.add(about);
      words.className = "alert";
      words.textContent = `The till did not take the code: ${error.message} Undo ${"delayed" in card.dataset ? "ends it" : "gives the points back"}.`;
      return;
    }
    if (id === sale.id && !sale.coupons.includes(code)) sale.coupons = [...sale.coupons, code];
    card.querySelector("[data-put]")?.remove();
    const notYetHeard = setTimeout(() => {
      if (words.textContent === PUTTING) words.textContent = "It is on the sale. That is not noted here yet: we go on trying.";
    }, SLOW_AFTER_MS);
    const answer = await tellApplied(card.dataset, id);
    clearTimeout(notYetHeard);
    // Another's by now: nothing of this one is theirs to see, and nothing on their sale ours to take off.
    if (id !== sale.id) return;
    if (answer?.status === 409) await takeOffEnded({ code, redemptionId: about });
    drawAnew(about);
    host.tell("focus.release", {});
  }

  // It was ended while the till put it on: what the sale keeps, the shop pays for.
  async function takeOffEnded(coupon) {
    try {
      await host.ask("discount.remove", coupon);
    } catch {
      say(`The code ${coupon.code} was ended meanwhile, and the till keeps it: take it off the sale.`, null, "dismiss");
    }
  }

  // The engine or the shopper ended it while it was on the sale: the till takes it off, unasked, once.
  const takenOff = new Set();

  async function takeOffUnasked(card) {
    const { comeOff: code, about } = card?.dataset ?? {};
    if (!code || takenOff.has(about) || !host?.can("discount.remove")) return;
    takenOff.add(about);
    const { id } = sale;
    try {
      await host.ask("discount.remove", { code, redemptionId: about });
    } catch {
      takenOff.delete(about);
      say(`The code ${code} was ended, and the till keeps it: take it off the sale.`, null, "dismiss");
      return;
    }
    await tellTicket("discount.removed", id, [code]);
  }

  // The code that an undo, or a code that takes its place, ends.
  function ending(elt) {
    const card = elt.matches("[data-undo]") && elt.closest("[data-code]");
    if (card) return { place: card, code: card.dataset.code, redemptionId: card.dataset.about };
    if (!elt.matches("[data-ends]")) return null;
    return { place: elt, code: elt.dataset.ends, redemptionId: elt.dataset.endsId };
  }

  // Before that, the till takes the code off; what it answers decides on the server.
  async function withdraw(elt) {
    const ends = ending(elt);
    if (!ends || withdrawn.has(elt) || !host?.can("discount.remove")) return;
    const { place, code, redemptionId } = ends;
    if (!place.dataset.onSale && !sent.has(redemptionId)) return;
    const words = place.querySelector("[data-at-till]");
    words.className = "hint";
    words.textContent = "Taking it off the sale…";
    try {
      await host.ask("discount.remove", { code, redemptionId });
      withdrawn.add(elt);
      words.textContent = "";
      // Where the button went away meanwhile, nothing else would say so.
      if (!elt.isConnected) tellTicket("discount.removed", sale.id, [code]);
    } catch (error) {
      words.textContent = `The till did not take it off: ${error.message}`;
      if (unsure.has(redemptionId) && place.dataset.about) await tellApplied(place.dataset, sale.id);
    }
  }

  async function attach(button) {
    const typed = query.value.trim();
    const { about: memberId } = byId("member").dataset;
    const name = document.querySelector("#member h2").textContent;
    try {
      await host.ask("customer.attach", { [typed.includes("@") ? "email" : "phone"]: typed, memberId, name });
      page.classList.add("has-customer");
      buyer = { told: typed, about: memberId, name };
      said.textContent = "On the sale";
    } catch (error) {
      say(`The till did not take the customer: ${error.message}`, button, "again");
    }
  }

  function lookUpUnasked(text) {
    if (!text || (query.value === text && lookedUp === text && byId("member"))) return;
    if (isLocked) {
      attached = text;
      return;
    }
    attached = "";
    closeDialog();
    query.value = text;
    lookUp.requestSubmit();
  }

  const text = (value) => (typeof value === "string" ? value : "");
  const texts = (value) => (Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined);

  function noteCart({ saleId, rev, coupons, totalCents, currency }) {
    const id = text(saleId);
    const codes = texts(coupons);
    // That there are none must be said: it gives points back.
    if (!id || !codes || (id === sale.id && rev < sale.rev)) return;
    const isNews = !sale.seen || id !== sale.id || codes.join() !== sale.coupons.join();
    const rung = (id === sale.id && sale.rung) || totalCents > 0;
    sale = { id, rev: Number(rev) || 0, coupons: codes, seen: true, totalCents: Number.isInteger(totalCents) ? totalCents : null, rung, currency: text(currency) };
    warnOfTooMuch();
    if (!isNews) return;
    withdrawn = new WeakSet();
    // What the server says of the code then is what it heard of it.
    tellTicket("cart.changed", id, codes).then(showCodeOfSale);
  }

  // The sale is over for this panel: nothing of its customer stays.
  function endSale(event, { saleId, coupons }) {
    const id = text(saleId) || sale.id;
    tellTicket(event, id, texts(coupons));
    // Another one's end, as of a parked ticket that is thrown away.
    if (sale.id && id !== sale.id) return;
    sale = newSale("");
    forget();
  }

  const HEARD = {
    "customer.attached": ({ email, phone }) => {
      page.classList.add("has-customer");
      const told = text(email) || text(phone);
      noteBuyer(told, lookedUp === told ? byId("member") : null);
      lookUpUnasked(told);
    },
    "customer.detached": forget,
    "cart.changed": noteCart,
    "sale.completed": (told) => endSale("sale.completed", told),
    "sale.voided": (told) => endSale("sale.voided", told),
    "sale.parked": (told) => endSale("sale.parked", told),
    "sale.resumed": ({ saleId }) => {
      sale = newSale(text(saleId));
      tellTicket("sale.resumed", sale.id);
    },
    "discount.removed": ({ code }) => tellTicket("discount.removed", sale.id, [text(code)]),
    scan: ({ text: scanned }) => lookUpUnasked(text(scanned).trim()),
    "till.locked": () => {
      nextTurn();
      if (bearer) send(page.dataset.lock, [], bearer.token).catch(() => {});
      bearer = null;
      isLocked = true;
      sessionOver("This till is locked. Unlock it, then go on.", "again");
    },
    "clerk.changed": () => {
      nextTurn();
      // The launch ends it; nobody acts by it any more.
      if (bearer) bearer.until = 0;
      forget();
      begin();
    },
    network: ({ online }) => { till.textContent = online === false ? "The till has no network." : ""; },
  };

  if (mayHaveHost) {
    const tooLong = setTimeout(() => {
      if (!people.isPaired()) till.textContent = "Not connected to the till.";
      hostIsKnown();
    }, NO_HOST_AFTER_MS);
    panelBridge.connect(origins, {
      begin: (found) => {
        clearTimeout(tooLong);
        host = found;
        till.textContent = "";
        page.classList.toggle("can-attach", host.can("customer.attach"));
        new ResizeObserver(() => host.tell("panel.resize", { height: page.scrollHeight })).observe(page);
        hostIsKnown();
        // It came after we had given up.
        if (page.classList.contains("over") && !page.dataset.refused) begin();
      },
      hear: (type, payload) => Object.hasOwn(HEARD, type) && (HEARD[type](payload), true),
    });
  } else hostIsKnown();

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
    if (target === dialogs && !elt.closest("dialog")) opener = requestConfig.triggeringEvent.submitter ?? elt;
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
    // Another request may have renewed it meanwhile.
    if (requestConfig.headers.Authorization === `Bearer ${bearer?.token}`) bearer = null;
    if (retried.has(elt)) {
      sessionOver("This panel's session is over. Reload it to go on.");
      return;
    }
    retried.add(elt);
    ready().then(
      () => htmx.ajax(requestConfig.verb, requestConfig.path, { source: elt, event: requestConfig.triggeringEvent }),
      sayWhyNot(elt),
    );
  });

  for (const failure of ["htmx:sendError", "htmx:timeout"]) {
    on(failure, (event) => {
      const { elt } = event.detail;
      // It asks again soon; what a person did and must try again is not forgotten for it.
      if (elt.matches("[data-quiet]")) return;
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

  const isAnothersSale = () => buyer.about !== "" && byId("member").dataset.about !== buyer.about;

  const notice = (text) => {
    const words = document.createElement("p");
    words.className = "notice";
    words.setAttribute("role", "alert");
    words.textContent = text;
    return words;
  };

  // A code counts once, and what it is worth beyond the sale is lost. Before anything is rung up
  // nobody can tell.
  const isMoreThanTheSale = (cents, currency) => sale.rung && sale.totalCents !== null && currency === sale.currency && cents > sale.totalCents;
  const tooMuch = () => `More than is left to pay (${money(sale.totalCents, sale.currency)}): the rest would be lost.`;

  // In the dialog that asks, and again as the sale changes under it.
  function warnOfTooMuch() {
    const dialog = dialogs.querySelector("dialog");
    dialog?.querySelector("[data-too-much]")?.remove();
    if (dialog && isMoreThanTheSale(Number(dialog.dataset.cents), dialog.dataset.currency)) {
      const words = notice(tooMuch());
      words.dataset.tooMuch = "";
      dialog.querySelector(".busy").before(words);
    }
    dialog?.querySelector("[data-rate]")?.dispatchEvent(new Event("input", { bubbles: true }));
  }

  on("htmx:afterSwap", (event) => {
    const dialog = dialogs.querySelector("dialog");
    if (event.detail.target !== dialogs || !dialog) return;
    const whose = dialog.querySelector("[data-whose]");
    if (whose) whose.textContent = document.querySelector("#member h2").textContent;
    if (dialog.querySelector("#ask-title") && isAnothersSale()) whose.after(notice(`${buyer.name} is on the sale. These are somebody else's points.`));
    dialog.showModal();
    if (dialog.dataset.cents) warnOfTooMuch();
  });

  on("panel:answered", closeDialog);
  // Later, for htmx tells of a failure after it.
  on("htmx:afterRequest", () => queueMicrotask(clearAway));
  // `close` does not bubble; a dialog also closes by the Escape key.
  dialogs.addEventListener("close", clearAway, true);
  // The browser gives the focus back itself, but not past a dialog that took another one's place.
  dialogs.addEventListener("close", () => {
    if (document.activeElement === document.body && document.hasFocus() && opener?.isConnected) opener.focus({ preventScroll: true });
  }, true);

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
    const { xhr, requestConfig, target } = event.detail;
    const dialog = requestConfig.elt.closest("dialog");
    // What comes may take the focus.
    endWaiting(event.detail);
    const hasAnother = requestConfig.elt.matches("[data-shows]") && isUnasked(requestConfig) && target.firstElementChild;
    const isQuietly = xhr.status >= 400 && requestConfig.elt.matches("[data-quiet]");
    const isBehind = target === dialogs && !dialog && dialogs.querySelector("dialog")?.open;
    if (isTooLate(event.detail) || hasAnother || isQuietly || isBehind) {
      event.detail.shouldSwap = false;
    } else if (dialog && xhr.responseText.trimStart().startsWith("<dialog")) {
      // Asked again (another code is open already), it takes its own place.
      event.detail.target = dialogs;
      event.detail.shouldSwap = dialog.open;
    } else if (xhr.status >= 400 && xhr.getResponseHeader("HX-Retarget") === "#alert") {
      failed = dialog ? opener : requestConfig.elt;
      if (!isUnasked(requestConfig)) closeDialog();
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
    if (target === result && buyer.told && !buyer.about && lookedUp === buyer.told) noteBuyer(buyer.told, byId("member"));
    if (target === result) showCodeOfSale();
    if (target === alertRegion) readyTheWayOut();
    else if (requestConfig.elt.getAttribute("hx-swap") !== "none") speak(target);
    if (target.closest("dialog")) target.scrollIntoView({ block: "nearest" });
    if (target.id === "coupon-slot" && byId("member") && !isUnasked(requestConfig)) showTogether();
    // What was asked for in the dialog is what comes next, not the button that opened it.
    if (requestConfig.elt.closest("dialog") && document.activeElement === opener) target.firstElementChild?.focus({ preventScroll: true });
    target.querySelector("[data-first]")?.focus();
    keepFocus();
    if (target.id === "coupon-slot") putOnSaleAtOnce(target.firstElementChild);
    if (target.id === "coupon-slot") takeOffUnasked(target.firstElementChild);
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
    const { currency } = field.dataset;
    const cents = Math.floor(points * field.dataset.rate + 1e-9);
    const worth = points >= 1 && points <= most
      ? `Worth ${money(cents, currency)}${isMoreThanTheSale(cents, currency) ? `. ${tooMuch()}` : ""}`
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
    // Whether the sale has the code then decides what becomes of it.
    if (left <= 0 && sale.seen && !lease.told) {
      lease.told = true;
      tellTicket("cart.changed", sale.id, sale.coupons);
    }
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

  const clear = () => {
    htmx.trigger(lookUp, "htmx:abort");
    alertRegion.replaceChildren();
    said.textContent = "";
    result.replaceChildren(...start);
  };

  const startAgain = () => {
    clear();
    query.focus();
  };

  // What the page asked of its own accord, as a member's figures after a redemption.
  const askUnasked = (elt) => {
    const path = elt.getAttribute("hx-get");
    htmx.ajax(path ? "GET" : "POST", path ?? elt.getAttribute("hx-post"), { source: elt });
  };

  const tryAgain = () => {
    if (!failed) begin();
    else if (failed.matches("form")) failed.requestSubmit();
    else if (failed.matches("button")) failed.click();
    else askUnasked(failed);
  };

  const ACTS = {
    copy,
    put: (button) => putOnSale(button.closest("[data-code]")),
    attach,
    cancel: startAgain,
    stop: startAgain,
    next() {
      query.value = "";
      startAgain();
      scrollTo(0, 0);
    },
    close: closeDialog,
    again: tryAgain,
    dismiss: () => alertRegion.replaceChildren(),
    reload: () => location.reload(),
  };

  on("click", (event) => {
    const button = event.target.closest("button");
    for (const name in button?.dataset) ACTS[name]?.(button);
  });

  begin();
})();
