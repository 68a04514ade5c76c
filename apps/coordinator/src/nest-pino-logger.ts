import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

/** Nest's log lines as pino's: one JSON document a line, with the context as a field. */
export class NestPinoLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    // Nest tells of every route and module; that is for debugging.
    this.logger.debug(fields(rest), text(message));
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.logger.error(fields(rest), text(message));
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.logger.warn(fields(rest), text(message));
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.logger.debug(fields(rest), text(message));
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.logger.trace(fields(rest), text(message));
  }
}

/** The last parameter is the context; before it an error's stack may stand. */
function fields(rest: unknown[]): Record<string, unknown> {
  const context = rest.at(-1);
  const details = rest.slice(0, -1);
  return { ...(typeof context === 'string' ? { context } : {}), ...(details.length > 0 ? { details } : {}) };
}

function text(message: unknown): string {
  return typeof message === 'string'
    ? message
    : message instanceof Error
      ? (message.stack ?? message.message)
      : JSON.stringify(message);
}
