import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { headers, type Msg, type MsgHdrs } from 'nats';
import { type ClusterKey, derivedKey } from '../names/derived-key.js';

const keyPurpose = 'larder-broadcasts';
const header = 'Larder-Seal';
/** How many senders are remembered, and how many of each one's newest messages. */
const rememberedSenders = 1_000;
const rememberedMessages = 1_024;

interface Heard {
  highest: number;
  readonly recent: Set<number>;
}

/**
 * Seals messages that are not stored (heartbeats, requests, answers), so that only processes of the cluster can send
 * them. The header `Larder-Seal` is `<key id> <sender> <number> <MAC>`: HMAC-SHA256 over the message's purpose, sender,
 * number and payload. The purpose is the subject; for an answer it is the request, because NATS renames reply subjects
 * between accounts. Numbers rise, so that a receiver which has heard the sender before recognises a replay.
 */
export class BroadcastSeal {
  private readonly keys: Map<string, Buffer>;
  private readonly sender = randomBytes(9).toString('base64url');
  private readonly heard = new Map<string, Heard>();
  private sent = 0;

  /** @param keys the first one seals, all of them open */
  constructor(keys: readonly ClusterKey[]) {
    this.keys = new Map(keys.map((one) => [one.id, derivedKey(one, keyPurpose)]));
  }

  /** The header for a message. @param purpose its subject, or `answerTo` of the request */
  seal(purpose: string, payload: Uint8Array): MsgHdrs {
    const [[keyId, key]] = this.keys;
    const number = ++this.sent;
    const mac = macOf(key, purpose, this.sender, number, payload).toString('base64url');
    const sealed = headers();
    sealed.set(header, `${keyId} ${this.sender} ${number} ${mac}`);
    return sealed;
  }

  /** The purpose of the answer to a sealed request. */
  answerTo(request: MsgHdrs | undefined): string {
    const [, sender, number] = (request?.get(header) ?? '').split(' ');
    return `answer ${sender} ${number}`;
  }

  /** What is wrong with a message, in a few words; undefined if it is sealed by the cluster and new. */
  fault(purpose: string, { headers: given, data }: Pick<Msg, 'headers' | 'data'>): string | undefined {
    const [keyId, sender, text, mac, ...rest] = (given?.get(header) ?? '').split(' ');
    const number = Number(text);
    if (!sender || !mac || rest.length > 0 || !Number.isSafeInteger(number)) return 'it is not sealed';
    const key = this.keys.get(keyId);
    if (!key) return `it is sealed with the key "${keyId.slice(0, 64)}", which LARDER_SECRET_KEYS does not hold`;
    const expected = macOf(key, purpose, sender, number, data);
    const found = Buffer.from(mac, 'base64url');
    // The decoder skips characters that are not base64url, and the last one has bits to spare: a seal has one spelling.
    const isOneSpelling = found.length === expected.length && found.toString('base64url') === mac;
    if (!isOneSpelling || !timingSafeEqual(found, expected)) return 'its seal is wrong';
    return this.isNew(sender, number) ? undefined : 'it was received before';
  }

  private isNew(sender: string, number: number): boolean {
    const heard = this.heard.get(sender) ?? { highest: 0, recent: new Set() };
    // Messages of several connections, or around a reconnect, may overtake one another a little.
    if (number <= heard.highest - rememberedMessages || heard.recent.has(number)) return false;
    heard.highest = Math.max(heard.highest, number);
    heard.recent.add(number);
    // Drop by number, not by arrival: a number that could still be accepted must not be forgotten.
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
