import { createInbox, type Msg } from 'nats';
import { DomainError } from '#kernel';
import { type NatsLink } from './connection.js';
import { messageOf } from './errors.js';

/*
 * Small JSON messages that nobody stores: heartbeats, progress within a batch, requests to workers. Core NATS delivers
 * them at most once, to who listens at that moment. Everything that must not be lost goes into the log instead.
 */

/**
 * Sends and forgets. While NATS is away the message is dropped, on purpose: a heartbeat that arrives later says
 * something that is no longer true.
 */
export function publishJson(link: NatsLink, subject: string, value: unknown): void {
  if (link.connected) link.nc.publish(subject, JSON.stringify(value));
}

/**
 * Calls back for each message; survives reconnects. What is not JSON is logged and dropped.
 *
 * @returns how to end it.
 */
export function subscribeJson(
  link: NatsLink,
  subject: string,
  onValue: (value: unknown, subject: string) => void,
): () => void {
  return subscribe(link, subject, (message) => {
    const parsed = parse(link, message);
    if (parsed) onValue(parsed.value, message.subject);
  });
}

/**
 * Answers requests. What `answer` throws goes back as an error: a DomainError with its kind, code and sentence,
 * anything else as a Bug without its text.
 *
 * @returns how to end it.
 */
export function respondJson(
  link: NatsLink,
  subject: string,
  answer: (value: unknown, subject: string) => unknown,
): () => void {
  return subscribe(link, subject, (message) => void reply(link, message, answer));
}

/**
 * Asks, and answers with the first reply.
 *
 * @throws DomainError as the other side threw it; Unavailable `nats-unreachable`, `no-responder`, `request-timeout`.
 */
export async function requestJson(
  link: NatsLink,
  subject: string,
  value: unknown,
  timeoutMs: number,
): Promise<unknown> {
  if (!link.connected) throw new DomainError('Unavailable', 'nats-unreachable', 'NATS is not connected');
  try {
    const request = JSON.stringify(value);
    return unwrap(await link.abortable(() => link.nc.request(subject, request, { timeout: timeoutMs })));
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const nobody = (error as { code?: string }).code === '503';
    throw nobody
      ? new DomainError('Unavailable', 'no-responder', `nobody answers on ${subject}`, { cause: error })
      : new DomainError('Unavailable', 'request-timeout', `no answer on ${subject} within ${timeoutMs} ms`, {
          cause: error,
        });
  }
}

/**
 * Asks everybody who listens, and collects answers until `expected` have come or the time is up; so it may answer with
 * fewer. Each is a value, or the error that its sender threw.
 */
export async function requestAllJson(
  link: NatsLink,
  subject: string,
  value: unknown,
  options: { expected: number; timeoutMs: number },
): Promise<JsonAnswer[]> {
  const answers: JsonAnswer[] = [];
  if (!link.connected || options.expected === 0) return answers;
  const inbox = createInbox();
  await new Promise<void>((done) => {
    const finish = () => {
      clearTimeout(timer);
      subscription.unsubscribe();
      done();
    };
    const timer = setTimeout(finish, options.timeoutMs);
    const subscription = link.nc.subscribe(inbox, {
      callback: (error, message) => {
        // Answers have no status; one that has comes from the server and says that nobody listens.
        if (error || message.headers?.code) return finish();
        try {
          answers.push({ value: unwrap(message) });
        } catch (thrown) {
          answers.push({ error: thrown as DomainError });
        }
        if (answers.length >= options.expected) finish();
      },
    });
    link.nc.publish(subject, JSON.stringify(value), { reply: inbox });
  });
  return answers;
}

export type JsonAnswer = { readonly value: unknown } | { readonly error: DomainError };

function subscribe(link: NatsLink, subject: string, onMessage: (message: Msg) => void): () => void {
  const subscription = link.nc.subscribe(subject, {
    callback: (error, message) => {
      if (error) link.log('error', `subscription to ${subject} failed`, { reason: error.message });
      else onMessage(message);
    },
  });
  return () => subscription.unsubscribe();
}

async function reply(
  link: NatsLink,
  message: Msg,
  answer: (value: unknown, subject: string) => unknown,
): Promise<void> {
  const parsed = parse(link, message);
  if (!parsed) return;
  let wire: WireReply;
  try {
    wire = { value: await answer(parsed.value, message.subject) };
  } catch (error) {
    link.log('warn', `a request on ${message.subject} failed`, { reason: messageOf(error) });
    wire =
      error instanceof DomainError
        ? { error: { kind: error.kind, code: error.code, message: error.message } }
        : {
            error: { kind: 'Bug', code: 'request-failed', message: 'the request failed; its receiver has logged why' },
          };
  }
  if (message.reply && link.connected) message.respond(JSON.stringify(wire));
}

function parse(link: NatsLink, message: Msg): { value: unknown } | undefined {
  try {
    return { value: message.data.length === 0 ? undefined : message.json() };
  } catch (error) {
    link.log('warn', `dropped a message on ${message.subject} that is not JSON`, { reason: messageOf(error) });
    return undefined;
  }
}

interface WireReply {
  value?: unknown;
  error?: Pick<DomainError, 'kind' | 'code' | 'message'>;
}

function unwrap(message: Msg): unknown {
  const { value, error } = message.json<WireReply>();
  if (error) throw new DomainError(error.kind, error.code, error.message);
  return value;
}
