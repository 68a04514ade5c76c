import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { headers, type Msg, type MsgHdrs } from 'nats';
import { type ClusterKey, derivedKey } from '../names/derived-key.js';

const keyPurpose = 'larder-broadcasts';
const header = 'Larder-Seal';
/** Senders whose messages are remembered, and of each the newest so many. */
const rememberedSenders = 1_000;
const rememberedMessages = 1_024;

interface Heard {
  highest: number;
  readonly recent: Set<number>;
}

/**
 * Seals messages that nobody stores (heartbeats, requests, answers), so that only processes of the cluster can send
 * them. The header `Larder-Seal` is `<key id> <sender> <number> <MAC>`: HMAC-SHA256 over what the message is for (its
 * subject; of an answer, the request: NATS gives reply subjects other names between accounts), sender, number and payload. Numbers rise, so that a message that is sent again by somebody else is known for what it is; by
 * whoever has heard the sender before.
 */
export class BroadcastSeal {
  private readonly keys: Map<string, Buffer>;
  private readonly sender = randomBytes(9).toString('base64url');
  private readonly heard = new Map<string, Heard>();
  private sent = 0;

  /** @param keys the first seals, all open */
  constructor(keys: readonly ClusterKey[]) {
    this.keys = new Map(keys.map((one) => [one.id, derivedKey(one, keyPurpose)]));
  }

  /** The header that goes with a message. @param purpose its subject, or `answerTo` of the request */
  seal(purpose: string, payload: Uint8Array): MsgHdrs {
    const [[keyId, key]] = this.keys;
    const number = ++this.sent;
    const mac = macOf(key, purpose, this.sender, number, payload).toString('base64url');
    const sealed = headers();
    sealed.set(header, `${keyId} ${this.sender} ${number} ${mac}`);
    return sealed;
  }

  /** What the answer to a sealed request is for. */
  answerTo(request: MsgHdrs | undefined): string {
    const [, sender, number] = (request?.get(header) ?? '').split(' ');
    return `answer ${sender} ${number}`;
  }

  /** What is wrong with a message, in a few words; undefined for one of the cluster's that was not here before. */
  fault(purpose: string, { headers: given, data }: Pick<Msg, 'headers' | 'data'>): string | undefined {
    const [keyId, sender, text, mac, ...rest] = (given?.get(header) ?? '').split(' ');
    const number = Number(text);
    if (!sender || !mac || rest.length > 0 || !Number.isSafeInteger(number)) return 'it is not sealed';
    const key = this.keys.get(keyId);
    if (!key) return `it is sealed with the key "${keyId.slice(0, 64)}", which LARDER_SECRET_KEYS does not hold`;
    const expected = macOf(key, purpose, sender, number, data);
    const found = Buffer.from(mac, 'base64url');
    if (found.length !== expected.length || !timingSafeEqual(found, expected)) return 'its seal is wrong';
    return this.isNew(sender, number) ? undefined : 'it has been here before';
  }

  private isNew(sender: string, number: number): boolean {
    const heard = this.heard.get(sender) ?? { highest: 0, recent: new Set() };
    // Sent by several connections, or around a reconnect, they may overtake one another a little.
    if (number <= heard.highest - rememberedMessages || heard.recent.has(number)) return false;
    heard.highest = Math.max(heard.highest, number);
    heard.recent.add(number);
    // By their numbers and not by when they came: of what is still taken none may be forgotten.
    if (heard.recent.size > 2 * rememberedMessages) {
      for (const one of heard.recent) if (one <= heard.highest - rememberedMessages) heard.recent.delete(one);
    }
    this.heard.delete(sender);
    this.heard.set(sender, heard);
    if (this.heard.size > rememberedSenders) this.heard.delete(this.heard.keys().next().value!);
    return true;
  }
}

function macOf(key: Buffer, purpose: string, sender: string, number: number, payload: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${purpose}\0${sender}\0${number}\0`).update(payload).digest();
}
