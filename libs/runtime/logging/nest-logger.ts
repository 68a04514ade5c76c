import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** The contexts under which Nest logs every route and module. */
const chatter = new Set([
  'NestFactory',
  'NestApplication',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'WebSocketsController',
]);

/**
 * Writes Nest's lines into Larder's log. Larder's classes log a sentence or `{ msg, …fields }` through Nest's `Logger`.
 * Nest's own lines about its start are at `debug`.
 */
export class NestPinoLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.write(chatter.has(String(rest.at(-1))) ? 'debug' : 'info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  private write(level: Level, message: unknown, rest: unknown[]): void {
    const { msg, ...fields } = contentOf(message);
    this.logger[level]({ ...fields, ...detailsOf(rest) }, msg);
  }
}

function contentOf(message: unknown): { msg: string } & Record<string, unknown> {
  if (typeof message === 'string') return { msg: message };
  if (message instanceof Error) return { msg: message.message, err: message };
  if (typeof message === 'object' && message !== null && 'msg' in message) {
    return message as { msg: string } & Record<string, unknown>;
  }
  return { msg: JSON.stringify(message) };
}

/**
 * The last parameter is the context. The one before it may be an error's stack; Nest leaves it empty if there is none.
 */
function detailsOf(rest: unknown[]): Record<string, unknown> {
  const context = rest.at(-1);
  const details = rest.slice(0, -1).filter((detail) => detail !== undefined && detail !== null);
  return {
    ...(typeof context === 'string' ? { context } : {}),
    ...(details.length > 0 ? { details } : {}),
  };
}
