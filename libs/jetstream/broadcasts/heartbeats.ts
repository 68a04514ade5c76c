import { type Msg, type MsgHdrs } from 'nats';
import { DomainError } from '#kernel';
import { type BroadcastSeal } from './broadcast-seal.js';
import { type NatsLink } from '../link/connection.js';
import { messageOf } from '../link/errors.js';
import { newInbox } from '../link/inbox.js';

/** Answer of a responder that leaves a request to another one. */
export const noAnswer = Symbol('no-answer');

/**
 * Small JSON messages that are not stored: heartbeats, progress within a batch, requests to workers. Core NATS delivers
 * them at most once, to those that listen at that moment. Everything that must not be lost goes into the log instead.
 */
export class Broadcasts {
  /** Subjects on which an unsealed message was dropped; each is logged once. */
  private readonly strangers = new Set<string>();

  /** @param seal undefined: every message is accepted, and sent messages are not sealed */
  constructor(
    private readonly link: NatsLink,
    private readonly seal?: BroadcastSeal,
  ) {}

  /**
   * Sends without waiting. While NATS is away the message is dropped on purpose: a heartbeat that arrives late is no
   * longer true.
   */
  publish(subject: string, value: unknown): void {
    if (this.link.connected) this.send(subject, value);
  }

  /**
   * Calls back for each message; survives reconnects. Messages that are not JSON are logged and dropped.
   *
   * @returns a function that ends it.
   */
  subscribe(subject: string, onValue: (value: unknown, subject: string) => void): () => void {
    const subscription = this.link.nc.subscribe(subject, {
      callback: (error, message) => {
        if (error) {
          this.link.log('error', `subscription to ${subject} failed`, { reason: error.message });
          return;
        }
        const parsed = this.genuine(message) ? this.parse(message) : undefined;
        if (parsed) onValue(parsed.value, message.subject);
      },
    });
    return () => subscription.unsubscribe();
  }

  /**
   * Answers requests. An error that `answer` throws is sent back: a DomainError with its kind, code and sentence, any
   * other as a Bug without its text. To leave a request to another responder, answer `noAnswer`.
   *
   * @returns a function that ends it.
   */
  respond(subject: string, answer: (value: unknown, subject: string) => unknown): () => void {
    const subscription = this.link.nc.subscribe(subject, {
      callback: (error, message) => {
        if (error) this.link.log('error', `subscription to ${subject} failed`, { reason: error.message });
        else if (this.genuine(message)) void this.answer(message, answer);
      },
    });
    return () => subscription.unsubscribe();
  }

  /**
   * Sends a request and resolves to the first reply.
   *
   * @throws DomainError as the other side threw it; Unavailable `no-responder` or `request-timeout`.
   */
  async request(subject: string, value: unknown, timeoutMs: number): Promise<unknown> {
    if (!this.link.connected) throw new DomainError('Unavailable', 'nats-unreachable', 'NATS is not connected');
    const inbox = newInbox(this.link.nc);
    const answered = new Promise<Msg>((resolve, reject) => {
      const fail = (code: string, text: string, cause?: unknown) => {
        end();
        reject(new DomainError('Unavailable', code, text, { cause }));
      };
      const late = () => fail('request-timeout', `no answer on ${subject} within ${timeoutMs} ms`);
      const timer = setTimeout(late, timeoutMs);
      const subscription = this.link.nc.subscribe(inbox, {
        callback: (error, message) => {
          if (error) fail('request-failed', `the request on ${subject} failed`, error);
          else if (message.headers?.code) fail('no-responder', `no process answers on ${subject}`);
          else if (this.genuine(message, this.seal?.answerTo(request))) {
            end();
            resolve(message);
          }
        },
      });
      const off = this.link.onStatus((status) => {
        if (status !== 'connected') fail('connection-lost', 'the connection to NATS was lost during a request');
      });
      const end = () => {
        clearTimeout(timer);
        subscription.unsubscribe();
        off();
      };
      const request = this.send(subject, value, inbox);
    });
    return unwrap(await answered);
  }

  /**
   * Asks all listeners, and collects answers until `expected` have come or the time is up, so there may be fewer. An
   * answer is a value or the error that its sender threw.
   */
  async requestAll(
    subject: string,
    value: unknown,
    options: { expected: number; timeoutMs: number },
  ): Promise<({ value: unknown } | { error: DomainError })[]> {
    const answers: ({ value: unknown } | { error: DomainError })[] = [];
    if (!this.link.connected || options.expected === 0) return answers;
    const inbox = newInbox(this.link.nc);
    await new Promise<void>((done) => {
      const timer = setTimeout(finish, options.timeoutMs);
      const subscription = this.link.nc.subscribe(inbox, {
        callback: (error, message) => {
          // Our own answers carry no status: one means that there is no listener.
          if (error || message.headers?.code) return finish();
          if (!this.genuine(message, this.seal?.answerTo(request))) return;
          try {
            answers.push({ value: unwrap(message) });
          } catch (thrown) {
            answers.push({ error: thrown as DomainError });
          }
          if (answers.length >= options.expected) finish();
        },
      });
      function finish() {
        clearTimeout(timer);
        subscription.unsubscribe();
        done();
      }
      const request = this.send(subject, value, inbox);
    });
    return answers;
  }

  private async answer(message: Msg, answer: (value: unknown, subject: string) => unknown): Promise<void> {
    const parsed = this.parse(message);
    if (!parsed) return;
    let reply: WireReply;
    try {
      const value = await answer(parsed.value, message.subject);
      if (value === noAnswer) return;
      reply = { value };
    } catch (error) {
      this.link.log('warn', `a request on ${message.subject} failed`, { reason: messageOf(error) });
      reply =
        error instanceof DomainError
          ? { error: { kind: error.kind, code: error.code, message: error.message } }
          : {
              error: {
                kind: 'Bug',
                code: 'request-failed',
                message: 'the request failed; its receiver has logged why',
              },
            };
    }
    if (!message.reply || !this.link.connected) return;
    const payload = Buffer.from(JSON.stringify(reply));
    const sealed = this.seal && this.seal.seal(this.seal.answerTo(message.headers), payload);
    this.link.nc.publish(message.reply, payload, { ...(sealed && { headers: sealed }) });
  }

  /** @returns the headers of the sent message */
  private send(subject: string, value: unknown, reply?: string): MsgHdrs | undefined {
    const payload = Buffer.from(JSON.stringify(value) ?? '');
    const sealed = this.seal?.seal(subject, payload);
    this.link.nc.publish(subject, payload, {
      ...(sealed && { headers: sealed }),
      ...(reply !== undefined && { reply }),
    });
    return sealed;
  }

  /** Whether a message comes from the cluster. The caller drops any other; its subject is logged once. */
  private genuine(message: Msg, purpose = message.subject): boolean {
    const fault = this.seal?.fault(purpose, message);
    if (fault === undefined) return true;
    const told = `${message.subject.startsWith('_INBOX') ? 'an inbox' : message.subject}: ${fault}`;
    if (this.strangers.size < 1_000 && !this.strangers.has(told)) {
      this.strangers.add(told);
      this.link.log('error', 'a message that no process of this cluster sent was dropped', { what: told });
    }
    return false;
  }

  private parse(message: Msg): { value: unknown } | undefined {
    try {
      return { value: message.data.length === 0 ? undefined : message.json() };
    } catch (error) {
      this.link.log('warn', `dropped a message on ${message.subject} that is not JSON`, { reason: messageOf(error) });
      return undefined;
    }
  }
}

interface WireReply {
  value?: unknown;
  error?: Pick<DomainError, 'kind' | 'code' | 'message'>;
}

function unwrap(message: Msg): unknown {
  const reply = message.json<WireReply>();
  if (reply.error) throw new DomainError(reply.error.kind, reply.error.code, reply.error.message);
  return reply.value;
}
