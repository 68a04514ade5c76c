import { Readable } from 'node:stream';
import type { Socket } from 'node:net';
import { buildConnector } from 'undici';

/** Larger ones bring no more, and each connection keeps one. */
const readBytes = 256 * 1024;

/**
 * Connects sockets that read into one buffer each, again and again. A socket otherwise allocates a buffer for every 64 KiB,
 * and the HTTP parser joins those that have come together: this cost more than half of the CPU time of a large object.
 *
 * A chunk of an answer is therefore valid only until the handler that gets it returns. Use these sockets only with handlers
 * that copy what they get and never pause.
 */
export function placingConnector(options: buildConnector.BuildOptions): buildConnector.connector {
  return (target, callback) => {
    const buffer = Buffer.allocUnsafeSlow(readBytes);
    let connected: PlacedReads | undefined;
    const connect = buildConnector({
      ...options,
      onread: { buffer, callback: (bytes) => connected?.came(buffer.subarray(0, bytes)) ?? true },
    });
    connect(target, (...result) => {
      const [, socket] = result;
      if (socket) connected = new PlacedReads(socket);
      callback(...result);
    });
  };
}

/** Hands what a socket has read to the reader of the socket, past the stream's own buffer. */
class PlacedReads {
  private pending: Buffer | null = null;

  constructor(private readonly socket: Socket) {
    const read = (size?: number): unknown => {
      const { pending } = this;
      if (size !== undefined || pending === null) return Readable.prototype.read.call(socket, size);
      this.pending = null;
      return pending;
    };
    socket.read = read;
    // What a reader gives back must outlive the next read.
    socket.unshift = (chunk: Buffer) => Readable.prototype.unshift.call(socket, Buffer.from(chunk));
  }

  /** @returns whether the socket should go on reading */
  came(bytes: Buffer): boolean {
    // Bytes that wait in the stream come before these.
    if (this.socket.readableLength > 0) return this.keep(bytes);
    this.pending = bytes;
    this.socket.emit('readable');
    if (this.pending === null) return true;
    this.pending = null;
    return this.keep(bytes);
  }

  /** The reader is not reading now: the bytes wait in the stream, as in an ordinary socket. */
  private keep(bytes: Buffer): boolean {
    return this.socket.push(Buffer.from(bytes));
  }
}
