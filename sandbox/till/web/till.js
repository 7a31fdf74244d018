/* The till's page. What it knows its server keeps: each act is asked of it, and what came of it is
   drawn and told to the panel. */
(() => {
  "use strict";

  const NEWS_EVERY_MS = 1_000;
  const byId = (id) => document.getElementById(id);
  const dollars = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD" });
  const money = (cents) => dollars.format(cents / 100);
  const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
  let state = null;
  let panel = null;

  // Asking the till's server

  class Refusal extends Error {
    constructor(code, words) {
      super(words);
      this.code = code;
    }
  }

  async function ask(name, body = {}) {
    const answer = await fetch(`/till/api/${name}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }).catch(() => { throw new Refusal("offline", "The till’s server does not answer."); });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Refusal(said.code ?? "failed", said.error ?? "That did not work.");
    return said;
  }

  // One act after the other, in the order in which they were asked for.
  let before = Promise.resolve();
  const inTurn = (work) => (before = before.then(work, work));

  const tell = (messages) => messages.forEach(([type, payload]) => panel?.send(type, payload));

  // Throws what the server refused, after drawing how things stand.
  const change = (name, body) => inTurn(async () => {
    try {
      const said = await ask(name, body);
      draw(said.state);
      tell(said.tell);
      return said;
    } catch (error) {
      await catchUp().catch(() => {});
      throw error;
    }
  });

  async function catchUp() {
    const { state: now, tell: present } = await ask("state");
    const isNews = now.ticket.rev !== state?.ticket.rev;
    draw(now);
    if (isNews) tell(present.filter(([type]) => type === "cart.changed"));
  }

  // The same, of a button: what was refused is said.
  async function act(name, body) {
    say("");
    try {
      return await change(name, body);
    } catch (error) {
      say(error.message, "bad");
      return null;
    }
  }

  function say(words, kind = "") {
    const said = byId("said");
    said.textContent = words;
    said.dataset.kind = kind;
  }

  // Drawing

  const make = (tag, { text, ...attributes } = {}, children = []) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined && value !== null) made.setAttribute(name, value);
    }
    if (text !== undefined) made.textContent = text;
    made.append(...children);
    return made;
  };
  const button = (text, attributes) => make("button", { type: "button", text, ...attributes });

  // Drawn anew, what had the focus keeps it.
  function keepingFocus(work) {
    const key = document.activeElement?.dataset?.key;
    work();
    if (key) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }

  function draw(now) {
    state = now;
    keepingFocus(() => {
      drawSale(now.ticket);
      drawCustomer(now.ticket.customer);
      drawSales(now);
    });
    byId("clerk").value = now.clerk.id;
    drawLock(now.locked);
    drawPaid();
    awaitNews();
  }

  const piecesOf = ({ pieces }) => `${pieces} ${pieces === 1 ? "piece" : "pieces"}`;

  function drawSale(ticket) {
    const { id, customer, lines, coupons, subtotal, total, pieces } = ticket;
    byId("sale-id").textContent = id;
    byId("pieces").textContent = pieces ? piecesOf(ticket) : "";
    byId("lines").replaceChildren(...lines.map(line));
    byId("empty").hidden = lines.length > 0;
    byId("coupons").replaceChildren(...coupons.map(coupon));
    byId("subtotal").textContent = money(subtotal);
    byId("off").textContent = `−${money(subtotal - total)}`;
    byId("off-row").hidden = coupons.length === 0;
    for (const place of ["total", "pay-total", "due"]) byId(place).textContent = money(total);
    byId("pay").disabled = lines.length === 0;
    for (const act of document.querySelectorAll("[data-void], [data-act=park]")) {
      act.disabled = !customer && !lines.length && !coupons.length;
    }
  }

  function line({ sku, name, price, quantity, freeBy }) {
    const about = freeBy ? `Free with ${freeBy}` : `${money(price)} each`;
    const count = (to, sign, words) => button(sign, {
      "aria-label": `${words} ${name}`, "data-quantity": to, "data-sku": sku, "data-key": `${sign}${sku}`,
    });
    return make("li", {}, [
      make("p", { class: "name", text: name }),
      make("p", { class: "each", text: about }),
      make("div", { class: "stepper" }, [
        count(quantity - 1, "−", quantity > 1 ? "One less of" : "Remove"),
        make("span", { text: quantity }),
        count(quantity + 1, "+", "One more of"),
      ]),
      make("p", { class: "cents", text: money(price * quantity) }),
    ]);
  }

  function coupon({ code, name, off }) {
    return make("li", {}, [
      make("p", {}, [make("strong", { text: name }), make("code", { text: code })]),
      make("span", { class: "cents", text: `−${money(off)}` }),
      button("×", { "aria-label": `Take ${code} off`, "data-take-off": code, "data-key": `off${code}` }),
    ]);
  }

  function drawCustomer(customer) {
    const { name, email, phone } = customer ?? {};
    byId("customer").replaceChildren(
      make("strong", { text: name ?? email ?? phone ?? "" }),
      make("span", { text: email ?? phone ?? "" }),
    );
    byId("customer").hidden = !customer;
    byId("find-customer").hidden = Boolean(customer);
    byId("remove-customer").hidden = !customer;
  }

  const nobody = (words) => make("li", { class: "empty", text: words });

  function drawSales({ parked, sales }) {
    byId("parked-count").textContent = parked.length || "";
    byId("parked").replaceChildren(...(parked.length ? parked.map(parkedRow) : [nobody("None")]));
    byId("done").replaceChildren(...(sales.length ? sales.map(paidRow) : [nobody("None yet")]));
  }

  const about = ({ id, customer }) => [id, customer?.name ?? customer?.email].filter(Boolean).join(" · ");

  const parkedRow = (sale) => make("li", {}, [
    make("p", {}, [
      make("strong", { text: about(sale) }),
      make("span", { text: `${piecesOf(sale)}, ${money(sale.total)}` }),
    ]),
    button("Resume", { "data-resume": sale.id, "aria-label": `Resume ${sale.id}` }),
  ]);

  const REPORTS = {
    due: () => "Telling the loyalty panel…",
    told: ({ state: how }) => (how === "returned" ? "The loyalty panel knows of the return." : "The loyalty panel knows."),
    refused: ({ words }) => `The loyalty panel refused: ${words}`,
  };
  const report = (sale) => REPORTS[sale.report](sale);

  const paidRow = (sale) => make("li", {}, [
    make("p", {}, [
      make("strong", { text: about(sale) }),
      make("span", { text: `${clock.format(new Date(sale.at))}, ${money(sale.total)} by ${sale.paidBy}${sale.state === "returned" ? ", returned" : ""}` }),
      make("span", { class: `report ${sale.report}`, text: report(sale) }),
    ]),
    ...(sale.state === "completed"
      ? [button("Return", { "data-return": sale.id, "aria-label": `Return ${sale.id}` })]
      : []),
  ]);

  function drawPaid() {
    const sale = state.sales.find(({ id }) => id === byId("paid").dataset.sale);
    if (!sale) return;
    byId("paid-total").textContent = money(sale.total);
    byId("paid-words").textContent = `Sale ${about(sale)}, by ${sale.paidBy}.`;
    byId("paid-report").textContent = report(sale);
  }

  function drawLock(isLocked) {
    const dialog = byId("locked");
    if (!isLocked) {
      dialog.close();
      return;
    }
    document.querySelectorAll("dialog[open]:not(#locked)").forEach((open) => open.close());
    if (!dialog.open) dialog.showModal();
  }

  // Until the panel's server was told of every sale.
  let news = null;
  function awaitNews() {
    if (news || !state.sales.some((sale) => sale.report === "due")) return;
    news = setTimeout(() => {
      news = null;
      inTurn(catchUp).catch(() => awaitNews());
    }, NEWS_EVERY_MS);
  }

  // Products

  const sought = byId("sought");
  let shelf = "";

  function filter() {
    const words = sought.value.trim().toLowerCase();
    let shown = 0;
    for (const place of byId("grid").children) {
      const tile = place.firstElementChild;
      const text = `${tile.textContent} ${tile.dataset.sku}`.toLowerCase();
      place.hidden = !text.includes(words) || !["", place.dataset.shelf].includes(shelf);
      shown += !place.hidden;
    }
    byId("none-found").hidden = shown > 0;
  }

  // A scanner types and presses Enter: a product, a coupon, else a customer's card.
  async function scanned(text) {
    const tiles = [...document.querySelectorAll("#grid li:not([hidden]) .tile")];
    const tile = tiles.find(({ dataset }) => dataset.sku.toLowerCase() === text.toLowerCase());
    const only = tile ?? (tiles.length === 1 ? tiles[0] : null);
    if (only) {
      await act("add", { sku: only.dataset.sku });
    } else if (/^[A-Z]+(-[A-Z0-9]{4}){2}$/i.test(text)) {
      await act("apply", { code: text });
    } else if (tiles.length === 0) {
      const isHeard = panel?.send("scan", { text });
      say(isHeard ? "Not a product: the loyalty panel looks for it." : "Nothing here is called so.");
    }
    sought.value = "";
    filter();
  }

  byId("scan").addEventListener("submit", (event) => {
    event.preventDefault();
    if (sought.value.trim()) scanned(sought.value.trim());
  });
  sought.addEventListener("input", filter);

  // Coupons, customers, payment

  byId("discount").addEventListener("submit", async (event) => {
    event.preventDefault();
    const field = byId("code");
    if (await act("apply", { code: field.value.trim() })) field.value = "";
  });

  // Of answers that overtake one another, the one to the latest question counts.
  let asked = 0;

  async function searchCustomers() {
    const question = asked += 1;
    const { customers } = await ask("search", { sought: byId("customer-sought").value });
    if (question !== asked) return;
    const rows = customers.map(({ id, name, email, phone }) => make("li", {}, [
      make("button", { type: "button", "data-attach": id }, [
        make("strong", { text: name ?? email ?? phone }),
        make("span", { text: [email, phone].filter(Boolean).join(" · ") }),
      ]),
    ]));
    byId("found").replaceChildren(...(rows.length ? rows : [nobody("Nobody found")]));
  }

  const lookForCustomers = () => searchCustomers().catch((error) => say(error.message, "bad"));
  byId("customer-sought").addEventListener("input", lookForCustomers);
  byId("customer-search").addEventListener("submit", (event) => {
    event.preventDefault();
    byId("found").querySelector("button")?.click();
  });

  // Payment starts: each code is asked for once more, and what the panel holds stands still.
  async function startPaying() {
    say("");
    try {
      await inTurn(() => ask("check"));
      byId("paying").showModal();
    } catch (error) {
      await inTurn(catchUp).catch(() => {});
      say(error.message, "bad");
    }
  }

  async function pay(by) {
    const { id } = state.ticket;
    byId("paying").close();
    if (!(await act("pay", { by }))) return;
    byId("paid").dataset.sale = id;
    drawPaid();
    byId("paid").showModal();
  }

  // What can't be taken back.
  function isSure(title, words, yes) {
    const dialog = byId("sure");
    byId("sure-title").textContent = title;
    byId("sure-words").textContent = words;
    byId("sure-yes").textContent = yes;
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    });
  }

  async function voidSale() {
    const { id, pieces, coupons } = state.ticket;
    const loses = [pieces && piecesOf(state.ticket), coupons.length && "its coupon"].filter(Boolean).join(" and ");
    const back = coupons.length ? " Its points go back to the customer." : "";
    const words = `The sale is thrown away, with ${loses}.${back}`;
    if (!loses || await isSure(`Void ${id}?`, words, "Void the sale")) await act("void");
  }

  async function returnSale(id) {
    const sale = state.sales.find((one) => one.id === id);
    const words = `All of it comes back, and ${money(sale.total)} goes back by ${sale.paidBy}. The loyalty panel is told.`;
    if (await isSure(`Return ${id}?`, words, "Return the sale")) await act("return", { id });
  }

  function open(id) {
    byId(id).showModal();
    if (id !== "customers") return;
    byId("customer-sought").value = "";
    lookForCustomers();
  }

  // What a button's data ask for

  const choose = (name, value) => {
    document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
    return act(name, value);
  };
  const BUTTONS = {
    act: (name) => act(name),
    open,
    shelf(name, pressed) {
      shelf = name;
      for (const one of pressed.parentElement.children) one.setAttribute("aria-pressed", one === pressed);
      filter();
    },
    quantity: (quantity, { dataset }) => act("quantity", { sku: dataset.sku, quantity: Number(quantity) }),
    takeOff: (code) => act("take-off", { code }),
    attach: (id) => choose("attach", { id: Number(id) }),
    resume: (id) => choose("resume", { id }),
    void: voidSale,
    return: returnSale,
    unlock: (id) => act("clerk", { id }),
    pay,
  };

  document.addEventListener("click", ({ target }) => {
    const pressed = target.closest("button");
    if (!pressed) return;
    if (pressed.classList.contains("tile")) act("add", { sku: pressed.dataset.sku });
    for (const [name, value] of Object.entries(pressed.dataset)) BUTTONS[name]?.(value, pressed);
  });

  byId("pay").addEventListener("click", startPaying);
  byId("clerk").addEventListener("change", ({ target }) => act("clerk", { id: target.value }));
  byId("customers").addEventListener("close", () => byId("found").replaceChildren());
  byId("locked").addEventListener("cancel", (event) => event.preventDefault());
  // Chromium lets a second Escape through.
  byId("locked").addEventListener("close", () => { if (state.locked) drawLock(true); });

  const KEYS = {
    F2: () => sought.focus(),
    F4: () => byId("find-customer").click(),
    F9: () => byId("pay").click(),
  };
  document.addEventListener("keydown", (event) => {
    if (!KEYS[event.key] || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  // The panel, which is a sheet below the sale where there is no room beside it

  const sheet = byId("sheet");
  const setSheet = (isOpen) => {
    sheet.setAttribute("aria-expanded", isOpen);
    byId("loyalty").classList.toggle("open", isOpen);
  };
  sheet.addEventListener("click", () => setSheet(sheet.getAttribute("aria-expanded") !== "true"));

  const ON = {
    "launch.request": () => ask("launch"),
    "discount.apply": async ({ code, redemptionId }) => { await change("apply", { code, redemption: redemptionId }); },
    "discount.remove": async ({ code }) => { await change("withdraw", { code }); },
    "customer.attach": async ({ name, email, phone }) => { await change("adopt", { name, email, phone }); },
    "toast": ({ text, kind }) => say(text, kind),
    "focus.release": () => sought.focus(),
  };

  function connect() {
    const connection = byId("connection");
    if (!globalThis.LoyaltyPanel) {
      connection.textContent = "Out of reach: sell on without it";
      return;
    }
    const { panel: url, origin } = document.body.dataset;
    panel = LoyaltyPanel.connect(byId("panel"), { origin, url, on: ON });
    const watch = () => {
      connection.textContent = panel.connected ? "Connected" : "Not connected";
      connection.dataset.kind = panel.connected ? "good" : "";
    };
    byId("panel").addEventListener("load", () => setTimeout(watch, NEWS_EVERY_MS));
    setInterval(watch, NEWS_EVERY_MS);
    for (const name of ["online", "offline"]) {
      addEventListener(name, () => panel.send("network", { online: name === "online" }));
    }
  }

  connect();
  inTurn(async () => {
    const said = await ask("state");
    draw(said.state);
    tell(said.tell);
  }).catch((error) => say(error.message, "bad"));
})();
