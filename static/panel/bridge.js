/* The panel's end of the bridge to the POS page that shows it in a frame: docs/bridge.md.
   The window listens until a host that is on the list answered; then all goes through its port. */
const panelBridge = (() => {
  "use strict";

  const NAMESPACE = "loyalty-panel";
  const VERSION = 1;
  const HELLO_EVERY_MS = 500;
  const ANSWER_WITHIN_MS = 15_000;

  /* What the host said instead of doing it. `code` is for programs, the message for people. */
  class HostRefused extends Error {
    constructor({ code, message } = {}) {
      super(typeof message === "string" && message ? message : "The till did not do it.");
      this.code = code;
    }
  }

  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const newId = () => crypto.randomUUID();

  class Host {
    #port;
    #waiting = new Map();
    #hear;

    constructor(port, capabilities, hear) {
      this.#port = port;
      this.#hear = hear;
      this.capabilities = new Set(capabilities.filter((name) => typeof name === "string"));
      this.ignored = 0;
      port.onmessage = ({ data }) => this.#receive(data);
    }

    can(type) {
      return this.capabilities.has(type);
    }

    /* Answers with the host's payload. Rejects with HostRefused, also where no answer comes. */
    ask(type, payload) {
      const id = newId();
      return new Promise((resolve, reject) => {
        const late = { code: "timeout", message: "The till did not answer." };
        const timer = setTimeout(() => this.#settle(id, { ok: false, error: late }), ANSWER_WITHIN_MS);
        this.#waiting.set(id, { resolve, reject, timer });
        this.#port.postMessage({ v: VERSION, id, type, payload });
      });
    }

    tell(type, payload) {
      this.#port.postMessage({ v: VERSION, id: newId(), type, payload });
    }

    #receive(message) {
      if (!isObject(message) || message.v !== VERSION) this.ignored += 1;
      else if (typeof message.re === "string") this.#settle(message.re, message);
      else if (typeof message.type !== "string" || !this.#hear(message.type, isObject(message.payload) ? message.payload : {})) this.ignored += 1;
    }

    #settle(id, { ok, payload, error }) {
      const wait = this.#waiting.get(id);
      if (!wait) return;
      this.#waiting.delete(id);
      clearTimeout(wait.timer);
      if (ok === true) wait.resolve(isObject(payload) ? payload : {});
      else wait.reject(new HostRefused(isObject(error) ? error : {}));
    }
  }

  /* Says hello to each page that may hold us, until one answers; `hear(type, payload)` is given
     what it tells and says whether it knew the type. Calls `begin(host)` then, never without. */
  function connect(origins, { begin, hear }) {
    // Where the browser tells who holds us, nobody else is called: it would complain of each.
    const above = location.ancestorOrigins?.[0];
    const allowed = origins.filter((origin) => !above || origin === above);
    const nonce = newId();
    const hello = () => allowed.forEach((origin) => window.parent.postMessage({ ns: NAMESPACE, type: "panel.hello", v: [VERSION], nonce }, origin));
    const receive = ({ source, origin, data, ports }) => {
      if (source !== window.parent || !allowed.includes(origin) || !isObject(data)) return;
      if (data.ns !== NAMESPACE || data.type !== "host.init" || data.nonce !== nonce || data.v !== VERSION || ports.length !== 1) return;
      clearInterval(again);
      removeEventListener("message", receive);
      begin(new Host(ports[0], Array.isArray(data.capabilities) ? data.capabilities : [], hear));
    };
    addEventListener("message", receive);
    const again = setInterval(hello, HELLO_EVERY_MS);
    hello();
  }

  return { connect, isFramed: window.parent !== window };
})();
