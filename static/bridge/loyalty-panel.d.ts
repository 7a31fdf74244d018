/** Types of loyalty-panel.js, which defines the global `LoyaltyPanel`. See docs/bridge.md. */

declare namespace LoyaltyPanel {
  /** The version of the messages. */
  const version: 1;

  /** Answer the panel in this frame, and tell it what happens at the till. */
  function connect(frame: HTMLIFrameElement, options: Options): Panel;

  /** What a handler throws: the associate reads `message`, the panel reads `code`. */
  function refusal(code: string, message: string): Error & { code: string };

  interface Options {
    /** The panel's, exactly: `https://loyalty.example.com`. */
    origin: string;
    /** The panel's address, which the frame then loads. Without it you load the frame, after this. */
    url?: string;
    on?: Handlers;
    /** How long a handler may take before the panel is told that it did not answer (10,000). */
    answerWithinMs?: number;
  }

  interface Panel {
    /** Whether a panel said hello and was answered. */
    readonly connected: boolean;
    /** Messages of the panel's frame that were dropped: forged, malformed, or of a type not known. */
    readonly ignored: number;
    /** Returns whether the panel was there to hear it. Throws a TypeError for a wrong payload. */
    send<Type extends keyof Sent>(type: Type, ...payload: Told<Sent[Type]>): boolean;
    /** Hear and tell nothing any more. */
    close(): void;
  }

  type Told<Payload> = {} extends Payload ? [payload?: Payload] : [payload: Payload];
  type Answer<Payload, Result = unknown> = (payload: Payload) => Result | Promise<Result>;

  /** What the panel asks for. Those that are answered and have a handler are the capabilities. */
  interface Handlers {
    "launch.request"?: Answer<{}, { token: string }>;
    "discount.apply"?: Answer<Discount>;
    "discount.remove"?: Answer<Coupon>;
    "customer.attach"?: Answer<Person & { memberId?: string }>;
    "panel.resize"?: (payload: { height: number }) => void;
    toast?: (payload: { text: string; kind?: string }) => void;
    "focus.release"?: (payload: {}) => void;
  }

  /** What the POS tells the panel. */
  interface Sent {
    "customer.attached": Person & { posCustomerId?: string };
    "customer.detached": {};
    "cart.changed": Sale & { coupons: string[]; rev?: number };
    "sale.completed": Sale & { coupons?: string[] };
    "sale.voided": { saleId: string };
    "sale.parked": { saleId: string };
    "sale.resumed": { saleId: string };
    "discount.removed": { code: string };
    "till.locked": {};
    "clerk.changed": {};
    scan: { text: string; symbology?: string };
    network: { online: boolean };
  }

  interface Person {
    email?: string | null;
    phone?: string | null;
    name?: string | null;
  }

  interface Coupon {
    code: string;
    redemptionId: string;
  }

  interface Discount extends Coupon {
    /** Null where it depends on the sale, as of 15 % off. */
    valueCents: number | null;
    currency: string;
    label: string;
  }

  interface Sale {
    saleId: string;
    /** After discounts. For preview: money is confirmed server to server. */
    totalCents: number;
    /** ISO 4217. */
    currency: string;
  }
}

interface Window {
  LoyaltyPanel: typeof LoyaltyPanel;
}
