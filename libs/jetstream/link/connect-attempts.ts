import { ErrorCode, type NatsError } from 'nats';
import { messageOf } from './errors.js';
import type { Log } from './connection.js';

const firstPauseMs = 1_000;
const longestPauseMs = 60_000;

/** Reports that something keeps failing: at once, then after growing pauses. A new reason is reported at once. */
export class GrowingPauses {
  /** Reasons reported already: of several servers each may have its own. */
  private readonly told = new Set<string>();
  private pauseMs = firstPauseMs;
  private nextAtMs = 0;

  constructor(
    private readonly tell: (reason: string) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  failed(reason: string): void {
    const isFirst = this.told.size === 0;
    if (this.told.has(reason) && this.now() < this.nextAtMs) return;
    if (isFirst) this.pauseMs = firstPauseMs;
    else if (this.told.has(reason)) this.pauseMs = Math.min(2 * this.pauseMs, longestPauseMs);
    this.told.add(reason);
    this.nextAtMs = this.now() + this.pauseMs;
    this.tell(reason);
  }

  /** It works again: the next failure counts as a first one. */
  over(): void {
    this.told.clear();
  }
}

/** Reports the attempts before there is a connection, for the log and for callers that ask what is missing. */
export class ConnectAttempts {
  private readonly pauses: GrowingPauses;

  /** @param servers `host:port`, without credentials */
  constructor(
    private readonly servers: readonly string[],
    log: Log,
    private readonly waiting: (what: string) => void,
  ) {
    this.pauses = new GrowingPauses((reason) => log('warn', `${this.where} does not answer: ${reason}; trying again`));
    log('info', `connecting to ${this.where}`);
    waiting(`${this.where} has not answered yet`);
  }

  get where(): string {
    return `NATS at ${this.servers.join(', ')}`;
  }

  failed(error: unknown): void {
    const reason = reasonOf(error);
    this.waiting(`${this.where} does not answer: ${reason}`);
    this.pauses.failed(reason);
  }
}

/** Whether the server rejects these credentials. A server that was merely slow to check them has not rejected them. */
export function isRefusal(error: unknown): boolean {
  return (
    refusals.has((error as NatsError | undefined)?.code ?? '') || /authorization violation/i.test(messageOf(error))
  );
}

const refusals: ReadonlySet<string> = new Set([
  ErrorCode.AuthorizationViolation,
  ErrorCode.BadAuthentication,
  ErrorCode.AuthenticationExpired,
  'ACCOUNT_EXPIRED',
]);

/** The reason in words, where the client has only a code for it. */
function reasonOf(error: unknown): string {
  const { chainedError, code } = error as NatsError;
  if (chainedError?.message) return chainedError.message;
  return inWords[code] ?? messageOf(error);
}

const inWords: Readonly<Record<string, string>> = {
  [ErrorCode.ConnectionRefused]: 'the connection was refused',
  [ErrorCode.ConnectionTimeout]: 'no connection within the time',
  [ErrorCode.Timeout]: 'no answer within the time',
  [ErrorCode.NoResponders]: 'JetStream does not answer',
  [ErrorCode.ConnectionClosed]: 'the connection was closed',
};
