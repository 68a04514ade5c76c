import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A message on its way to a client of NATS. */
export interface SievedMessage {
  readonly subject: string;
  /** The subject of its acknowledgement. */
  readonly reply: string;
}

const endOfLine = Buffer.from('\r\n');

/**
 * A proxy between one client and a nats-server that holds back chosen messages of the server. The client then receives
 * one message late and another in time, as can happen with separate subscriptions.
 * Protocol: docs.nats.io, "Client protocol", `MSG` and `HMSG`.
 */
export class NatsSieve {
  /** The messages held back at the moment, in the order of their arrival. */
  readonly held: SievedMessage[] = [];
  private holds: (subject: string) => boolean = () => false;
  private readonly waiting: (() => void)[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly targetPort: number,
  ) {
    server.on('connection', (client) => this.accept(client));
  }

  static async start(targetPort: number): Promise<NatsSieve> {
    const server = createServer({ noDelay: true });
    const sieve = new NatsSieve(server, targetPort);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return sieve;
  }

  get url(): string {
    return `nats://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** From now on, holds back messages whose subject begins with this prefix. */
  hold(subjectPrefix: string): void {
    this.holds = (subject) => subject.startsWith(subjectPrefix);
  }

  /** Lets through the messages held back, and all later ones. */
  release(): void {
    this.holds = () => false;
    this.held.length = 0;
    for (const send of this.waiting.splice(0)) send();
  }

  /** Drops the first message held back. */
  dropFirst(): void {
    this.held.shift();
    this.waiting.shift();
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }

  private accept(client: Socket): void {
    const upstream = connect({ host: '127.0.0.1', port: this.targetPort, noDelay: true });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ]) {
      this.sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(upstream);
    let unread: Buffer = Buffer.alloc(0);
    upstream.on('data', (bytes: Buffer) => {
      unread = Buffer.concat([unread, bytes]);
      for (let piece = takePiece(unread); piece; piece = takePiece(unread)) {
        unread = unread.subarray(piece.bytes.length);
        this.pass(piece, (what) => client.write(what));
      }
    });
  }

  private pass({ bytes, message }: Piece, write: (bytes: Buffer) => void): void {
    if (!message || !this.holds(message.subject)) return write(bytes);
    this.held.push(message);
    const copy = Buffer.from(bytes);
    this.waiting.push(() => write(copy));
  }
}

interface Piece {
  readonly bytes: Buffer;
  readonly message?: SievedMessage;
}

/** The first line, with its payload if it announces one. Undefined until all of it has arrived. */
function takePiece(bytes: Buffer): Piece | undefined {
  const lineEnd = bytes.indexOf(endOfLine);
  if (lineEnd < 0) return undefined;
  const words = bytes.subarray(0, lineEnd).toString('latin1').split(' ');
  if (words[0] !== 'MSG' && words[0] !== 'HMSG') return { bytes: bytes.subarray(0, lineEnd + 2) };
  const end = lineEnd + 2 + Number(words.at(-1)) + 2;
  if (bytes.length < end) return undefined;
  // MSG subject sid [reply] size; HMSG subject sid [reply] headerSize size.
  const hasReply = words.length === (words[0] === 'MSG' ? 5 : 6);
  return { bytes: bytes.subarray(0, end), message: { subject: words[1], reply: hasReply ? words[3] : '' } };
}
