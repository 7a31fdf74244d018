/* Loyalty Panel beside a sale: what a POS page includes. No dependencies; docs/bridge.md has the
   messages and a page to copy.

   const panel = LoyaltyPanel.connect(iframe, { origin, url, on: { "launch.request": async () => ({ token }) } });
   panel.send("cart.changed", { saleId, totalCents, currency, coupons });
*/
(() => {
  "use strict";

  const NS = "loyalty-panel";
  const VERSION = 1;
  const ANSWER_WITHIN_MS = 10_000;
  const LONGEST_TEXT = 2_000;
  const LONGEST_LIST = 100;

  // What a field may hold, with the words for whoever got it wrong.
  const isText = (value) => typeof value === "string" && value.length <= LONGEST_TEXT;
  const TEXT = { words: "a text", fits: isText };
  const ID = { words: "a text that is not empty", fits: (value) => isText(value) && value !== "" };
  const TEXTS = {
    words: "a list of texts",
    fits: (value) => Array.isArray(value) && value.length <= LONGEST_LIST && value.every(isText),
  };
  const WHOLE = { words: "a whole number", fits: Number.isSafeInteger };
  // Null where the value depends on the sale, as of 15 % off.
  const WORTH = {
    words: "a whole number from 0 on",
    fits: (value) => value === null || (Number.isSafeInteger(value) && value >= 0),
  };
  const LENGTH = { words: "a number from 0 on", fits: (value) => Number.isFinite(value) && value >= 0 };
  const FLAG = { words: "true or false", fits: (value) => typeof value === "boolean" };

  // Type -> fields; a star marks those that must be there. A field that is not listed is left out.
  const PERSON = { email: TEXT, phone: TEXT, name: TEXT };
  const SALE = { "saleId*": ID };
  const TOTAL = { ...SALE, "totalCents*": WHOLE, "currency*": ID };
  const COUPON = { "code*": ID, "redemptionId*": ID };
  const ANSWERED = {
    "launch.request": {},
    "discount.apply": { ...COUPON, "valueCents*": WORTH, "currency*": ID, "label*": TEXT },
    "discount.remove": COUPON,
    "customer.attach": { ...PERSON, memberId: TEXT },
  };
  const NOTED = {
    "panel.resize": { "height*": LENGTH },
    "toast": { "text*": TEXT, kind: TEXT },
    "focus.release": {},
  };
  const SENT = {
    "customer.attached": { ...PERSON, posCustomerId: TEXT },
    "customer.detached": {},
    "cart.changed": { ...TOTAL, "coupons*": TEXTS, rev: WHOLE },
    "sale.completed": { ...TOTAL, coupons: TEXTS },
    "sale.voided": SALE,
    "sale.parked": SALE,
    "sale.resumed": SALE,
    "discount.removed": { "code*": ID },
    "till.locked": {},
    "clerk.changed": {},
    "scan": { "text*": ID, symbology: TEXT },
    "network": { "online*": FLAG },
  };
  const ANSWERS = { "launch.request": { "token*": ID } };
  const ENDS_THE_SALE = ["sale.completed", "sale.voided", "sale.parked"];

  const own = (table, name) => (Object.hasOwn(table, name) ? table[name] : undefined);

  // The fields that are known, or a TypeError that names the one that is wrong.
  function checked(type, fields, given) {
    if (given === null || typeof given !== "object") throw new TypeError(`${type}: not an object`);
    const payload = {};
    for (const [field, { words, fits }] of Object.entries(fields)) {
      const name = field.replace("*", "");
      const value = own(given, name);
      const isNeeded = name !== field;
      if (!isNeeded && (value === undefined || value === null)) continue;
      if (!fits(value)) throw new TypeError(`${type}: ${name} must be ${words}`);
      payload[name] = value;
    }
    return payload;
  }

  // Not randomUUID(), which pages of plain http don't have.
  const randomId = () => [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("");

  const refusal = (code, message) => Object.assign(new Error(message), { code });

  const inTime = (promise, ms) => {
    let timer;
    const late = new Promise((_, fail) => {
      timer = setTimeout(() => fail(refusal("timeout", "The till did not answer in time.")), ms);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
  };

  function exactOrigin(text) {
    const url = new URL(text);
    if (url.origin !== text || !/^https?:/.test(text)) {
      throw new TypeError(`origin must be https://host or https://host:port, not ${text}`);
    }
    return text;
  }

  class Panel {
    #frame;
    #origin;
    #handlers;
    #answerWithin;
    #port = null;
    #nonce = null;
    #ignored = 0;
    #rev = 0;
    #customer = null;
    #cart = null;

    constructor(frame, { origin, on = {}, answerWithinMs = ANSWER_WITHIN_MS }) {
      const unknown = Object.keys(on).find((type) => !own(ANSWERED, type) && !own(NOTED, type));
      if (unknown) throw new TypeError(`The panel never sends ${unknown}`);
      this.#frame = frame;
      this.#origin = exactOrigin(origin);
      this.#handlers = { ...on };
      this.#answerWithin = answerWithinMs;
      addEventListener("message", this.#hear);
    }

    /** Whether a panel said hello and was answered. */
    get connected() {
      return this.#port !== null;
    }

    /** How many messages of the panel's frame were dropped: forged, malformed or of a type not known. */
    get ignored() {
      return this.#ignored;
    }

    /** Tell the panel. Returns whether it was there to hear it. Raises TypeError for a wrong payload. */
    send(type, payload = {}) {
      const fields = own(SENT, type);
      if (!fields) throw new TypeError(`${type} is nothing that a panel is told`);
      const told = checked(type, fields, payload);
      // Counted on over a reload of the POS page, too: a lower one is dropped.
      if (type === "cart.changed") told.rev ??= this.#rev = Math.max(this.#rev + 1, Date.now());
      this.#keep(type, told);
      return this.#post(type, told);
    }

    /** Hear and tell nothing any more. */
    close() {
      removeEventListener("message", this.#hear);
      this.#hangUp();
      this.#customer = this.#cart = null;
      if (panels.get(this.#frame) === this) panels.delete(this.#frame);
    }

    // What a panel that is loaded again must know: the present customer and cart.
    #keep(type, told) {
      if (type === "customer.attached") this.#customer = told;
      if (type === "customer.detached") this.#customer = null;
      if (type === "cart.changed") this.#cart = told;
      if (ENDS_THE_SALE.includes(type) && (!this.#cart || this.#cart.saleId === told.saleId)) {
        this.#customer = this.#cart = null;
      }
    }

    #post(type, payload) {
      if (!this.#port) return false;
      this.#port.postMessage({ v: VERSION, id: randomId(), type, payload });
      return true;
    }

    #hangUp() {
      if (!this.#port) return;
      this.#port.onmessage = null;
      this.#port.close();
      this.#port = null;
    }

    #hear = (event) => {
      const { source, origin, data } = event;
      // Another frame's, or not of this page at all: nothing to us.
      if (!source || source !== this.#frame.contentWindow || data?.ns !== NS) return;
      const isHello = origin === this.#origin
        && data.type === "panel.hello"
        && Array.isArray(data.v) && data.v.includes(VERSION)
        && ID.fits(data.nonce) && data.nonce !== this.#nonce;
      if (isHello) this.#welcome(source, data.nonce);
      else this.#ignored += 1;
    };

    // A frame that was loaded again says hello anew: the port of the one before is closed.
    #welcome(panel, nonce) {
      this.#hangUp();
      this.#nonce = nonce;
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }) => this.#take(port1, data);
      this.#port = port1;
      const capabilities = Object.keys(ANSWERED).filter((type) => own(this.#handlers, type));
      const init = { ns: NS, type: "host.init", nonce, v: VERSION, capabilities };
      panel.postMessage(init, this.#origin, [port2]);
      if (this.#customer) this.#post("customer.attached", this.#customer);
      if (this.#cart) this.#post("cart.changed", this.#cart);
    }

    #take(port, message) {
      const { v, id, type, payload = {} } = message ?? {};
      if (v === VERSION && own(ANSWERED, type) && ID.fits(id)) this.#answer(port, id, type, payload);
      else if (v === VERSION && own(NOTED, type)) this.#note(type, payload);
      else this.#ignored += 1;
    }

    async #answer(port, id, type, payload) {
      let answer;
      try {
        answer = { ok: true, payload: await inTime(this.#handle(type, payload), this.#answerWithin) };
      } catch (error) {
        const { code, message } = Object(error);
        answer = { ok: false, error: { code: `${code ?? "failed"}`, message: `${message ?? error}` } };
      }
      // To whom it was asked by: a panel that was loaded since knows nothing of it.
      port.postMessage({ v: VERSION, re: id, ...answer });
    }

    async #handle(type, given) {
      const handler = own(this.#handlers, type);
      if (!handler) throw refusal("unsupported", `This till does not answer ${type}.`);
      let payload;
      try {
        payload = checked(type, ANSWERED[type], given);
      } catch ({ message }) {
        this.#ignored += 1;
        throw refusal("malformed", message);
      }
      return checked(`the answer to ${type}`, own(ANSWERS, type) ?? {}, (await handler(payload)) ?? {});
    }

    #note(type, given) {
      let payload;
      try {
        payload = checked(type, NOTED[type], given);
      } catch {
        this.#ignored += 1;
        return;
      }
      own(this.#handlers, type)?.(payload);
    }
  }

  // A frame has one host: who connects it again takes it over.
  const panels = new WeakMap();

  function connect(frame, options) {
    const { url, origin } = options;
    if (url && new URL(url).origin !== origin) throw new TypeError(`${url} is not of ${origin}`);
    const panel = new Panel(frame, options);
    panels.get(frame)?.close();
    panels.set(frame, panel);
    // Loaded from here, no hello can come before somebody listens.
    if (url) frame.src = url;
    return panel;
  }

  globalThis.LoyaltyPanel = Object.freeze({ connect, refusal, version: VERSION });
})();
