import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** Where Nest tells of every route and module. */
const chatter = new Set([
  'NestFactory',
  'NestApplication',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'WebSocketsController',
]);

/**
 * Nest's lines among ours. Our own classes log through Nest's `Logger`, a sentence or `{ msg, …fields }`; what Nest
 * itself tells of its start is for debugging.
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

/** The last parameter is the context. Before it the stack of an error may stand; Nest leaves its place empty if not. */
function detailsOf(rest: unknown[]): Record<string, unknown> {
  const context = rest.at(-1);
  const details = rest.slice(0, -1).filter((detail) => detail !== undefined && detail !== null);
  return {
    ...(typeof context === 'string' ? { context } : {}),
    ...(details.length > 0 ? { details } : {}),
  };
}
