import { connect, type Socket } from 'node:net';
import type { Direction, ProxyMode } from './proxy-mode.js';

interface LinkContext {
  readonly mode: () => ProxyMode;
  readonly random: () => number;
}

/** One connection through a proxy: two sockets, and the bytes on their way between them in each direction. */
export class ProxiedLink {
  /** Called once, when neither socket is open any more. */
  onClosed: (() => void) | undefined;
  /** Pieces that were swallowed. */
  lostPieces = 0;
  private readonly upstream: Socket;
  private readonly lanes: readonly Lane[];
  private open = 2;

  constructor(
    private readonly client: Socket,
    target: string,
    context: LinkContext,
  ) {
    const [host, port] = target.split(':');
    this.upstream = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true });
    const ends = {
      reset: () => this.reset(),
      lost: () => {
        this.lostPieces++;
      },
    };
    this.lanes = [
      new Lane('forth', client, this.upstream, context, ends),
      new Lane('back', this.upstream, client, context, ends),
    ];
    for (const socket of [client, this.upstream]) {
      // Each end learns what happens to the other one. A black hole is the exception: its lane passes nothing on.
      socket.on('error', () => this.lost(socket));
      socket.on('close', () => this.closed(socket));
    }
  }

  modeChanged(): void {
    for (const lane of this.lanes) lane.modeChanged();
  }

  /** Both ends see the connection reset. */
  reset(): void {
    for (const lane of this.lanes) lane.stop();
    breakOff(this.client);
    breakOff(this.upstream);
  }

  private lost(socket: Socket): void {
    const lane = this.lanes.find(({ from }) => from === socket);
    if (lane?.isSwallowing !== true) this.reset();
  }

  private closed(socket: Socket): void {
    const lane = this.lanes.find(({ from }) => from === socket);
    if (lane?.isSwallowing === true) this.lostPieces++;
    this.open--;
    if (this.open === 0) this.onClosed?.();
  }
}

/** The pieces that travel in one direction, in order, one after another. */
class Lane {
  private readonly queue: (Buffer | 'end')[] = [];
  private working = false;
  private stopped = false;
  /** Bytes that passed since the mode was set. */
  private passedBytes = 0;
  private timer: { handle: NodeJS.Timeout; wake: () => void } | undefined;

  constructor(
    private readonly direction: Direction,
    readonly from: Socket,
    private readonly to: Socket,
    private readonly context: LinkContext,
    private readonly ends: { reset: () => void; lost: () => void },
  ) {
    from.on('data', (bytes: Buffer) => this.take(bytes));
    from.on('end', () => this.take('end'));
  }

  get isSwallowing(): boolean {
    const mode = this.context.mode();
    return mode.kind === 'blackhole' && (mode.direction === undefined || mode.direction === this.direction);
  }

  modeChanged(): void {
    this.passedBytes = 0;
    // A piece that waits for its time goes on under the new mode at once.
    if (this.timer === undefined) return;
    clearTimeout(this.timer.handle);
    this.timer.wake();
  }

  stop(): void {
    this.stopped = true;
    this.queue.length = 0;
    this.modeChanged();
  }

  private take(piece: Buffer | 'end'): void {
    if (this.isSwallowing) {
      this.ends.lost();
      return;
    }
    this.queue.push(piece);
    // Slow the sender down, so that no more bytes wait here than this limit and one read.
    this.from.pause();
    if (!this.working) void this.work();
  }

  private async work(): Promise<void> {
    this.working = true;
    for (;;) {
      const piece = this.queue.shift();
      if (piece === undefined || this.stopped) break;
      if (piece === 'end') this.to.end();
      else await this.forward(piece);
      if (this.queue.length === 0) this.from.resume();
    }
    this.working = false;
  }

  private async forward(bytes: Buffer): Promise<void> {
    let left = bytes;
    while (left.length > 0 && !this.stopped) {
      if (this.isSwallowing) {
        this.ends.lost();
        return;
      }
      const mode = this.context.mode();
      const piece = left.subarray(0, this.pieceBytes(mode, left.length));
      const waitMs = this.waitMs(mode, piece.length);
      if (waitMs > 0) await this.wait(waitMs);
      // The mode has changed meanwhile: the new one decides.
      if (this.context.mode() !== mode) continue;
      await this.write(piece);
      left = left.subarray(piece.length);
      this.passedBytes += piece.length;
      if (this.isTruncated(mode)) this.ends.reset();
    }
  }

  private pieceBytes(mode: ProxyMode, available: number): number {
    switch (mode.kind) {
      case 'bandwidth':
        // Twenty pieces a second: the pauses stay short, without a timer for every byte.
        return Math.min(available, Math.max(1, Math.ceil(mode.bytesPerSecond / 20)));
      case 'slice':
        return Math.min(available, 1 + Math.floor(this.context.random() * mode.maxBytes));
      case 'truncate':
        return this.direction === 'back' ? Math.min(available, mode.afterBytes - this.passedBytes) : available;
      default:
        return available;
    }
  }

  private waitMs(mode: ProxyMode, pieceBytes: number): number {
    switch (mode.kind) {
      case 'latency':
        return mode.latencyMs + this.context.random() * (mode.jitterMs ?? 0);
      case 'bandwidth':
        return (pieceBytes * 1000) / mode.bytesPerSecond;
      case 'slice':
        // Without a turn of the event loop the system would join the pieces again.
        return 0.1;
      default:
        return 0;
    }
  }

  private isTruncated(mode: ProxyMode): boolean {
    return mode.kind === 'truncate' && this.direction === 'back' && this.passedBytes >= mode.afterBytes;
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.timer = undefined;
        resolve();
      };
      this.timer = { handle: setTimeout(wake, ms), wake };
    });
  }

  private write(piece: Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (this.to.destroyed || this.to.writableEnded) resolve();
      else this.to.write(piece, () => resolve());
    });
  }
}

/**
 * The other end sees a reset, unless this end has closed already or is not connected yet. Node loses the handle of a
 * socket that is reset after its end, and the process then spins for ever as it exits.
 */
export function breakOff(socket: Socket): void {
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
