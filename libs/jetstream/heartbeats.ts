import { type Msg } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from './connection.js';
import { messageOf } from './errors.js';
import { newInbox } from './inbox.js';

/** Said by a responder that leaves a request to another one. */
export const noAnswer = Symbol('no-answer');

/**
 * Small JSON messages that nobody stores: heartbeats, progress within a batch, requests to workers. Core NATS delivers
 * them at most once, to who listens at that moment. Everything that must not be lost goes into the log instead.
 */
export class Broadcasts {
  constructor(private readonly link: NatsLink) {}

  /**
   * Sends and forgets. While NATS is away the message is dropped, on purpose: a heartbeat that arrives later says
   * something that is no longer true.
   */
  publish(subject: string, value: unknown): void {
    if (this.link.connected) this.link.nc.publish(subject, JSON.stringify(value));
  }

  /**
   * Calls back for each message; survives reconnects. What is not JSON is logged and dropped.
   *
   * @returns how to end it.
   */
  subscribe(subject: string, onValue: (value: unknown, subject: string) => void): () => void {
    const subscription = this.link.nc.subscribe(subject, {
      callback: (error, message) => {
        if (error) {
          this.link.log('error', `subscription to ${subject} failed`, { reason: error.message });
          return;
        }
        const parsed = this.parse(message);
        if (parsed) onValue(parsed.value, message.subject);
      },
    });
    return () => subscription.unsubscribe();
  }

  /**
   * Answers requests. What `answer` throws goes back as an error: a DomainError with its kind, code and sentence,
   * anything else as a Bug without its text. To leave a request to somebody else who listens, answer `noAnswer`.
   *
   * @returns how to end it.
   */
  respond(subject: string, answer: (value: unknown, subject: string) => unknown): () => void {
    const subscription = this.link.nc.subscribe(subject, {
      callback: (error, message) => {
        if (error) this.link.log('error', `subscription to ${subject} failed`, { reason: error.message });
        else void this.answer(message, answer);
      },
    });
    return () => subscription.unsubscribe();
  }

  /**
   * Asks, and answers with the first reply.
   *
   * @throws DomainError as the other side threw it; Unavailable `no-responder` or `request-timeout`.
   */
  async request(subject: string, value: unknown, timeoutMs: number): Promise<unknown> {
    if (!this.link.connected) throw new DomainError('Unavailable', 'nats-unreachable', 'NATS is not connected');
    let reply: Msg;
    try {
      reply = await this.link.abortable(() =>
        this.link.nc.request(subject, JSON.stringify(value), { timeout: timeoutMs }),
      );
    } catch (error) {
      if (error instanceof DomainError) throw error;
      const nobody = (error as { code?: string }).code === '503';
      throw nobody
        ? new DomainError('Unavailable', 'no-responder', `nobody answers on ${subject}`, { cause: error })
        : new DomainError('Unavailable', 'request-timeout', `no answer on ${subject} within ${timeoutMs} ms`, {
            cause: error,
          });
    }
    return unwrap(reply);
  }

  /**
   * Asks everybody who listens, and collects answers until `expected` have come or the time is up; so it may answer
   * with fewer. An answer is a value or the error that its sender threw.
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
          // No headers on our own answers: a status means that nobody listens.
          if (error || message.headers?.code) return finish();
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
      this.link.nc.publish(subject, JSON.stringify(value), { reply: inbox });
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
    if (message.reply && this.link.connected) message.respond(JSON.stringify(reply));
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
