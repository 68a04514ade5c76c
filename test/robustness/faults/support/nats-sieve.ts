import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A message on its way to a client of NATS. */
export interface SievedMessage {
  readonly subject: string;
  /** Where it is acknowledged. */
  readonly reply: string;
}

const endOfLine = Buffer.from('\r\n');

/**
 * Stands between one client and a nats-server, and holds back what it is told to of what the server sends: a client may
 * so hear late of one thing and in time of another, as it may when each comes by a subscription of its own.
 * The protocol: docs.nats.io, "Client protocol", `MSG` and `HMSG`.
 */
export class NatsSieve {
  /** What is held back at the moment, in the order in which it came. */
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

  /** From now on holds back messages whose subject begins so. */
  hold(subjectPrefix: string): void {
    this.holds = (subject) => subject.startsWith(subjectPrefix);
  }

  /** Lets through what was held back, and all that comes. */
  release(): void {
    this.holds = () => false;
    this.held.length = 0;
    for (const send of this.waiting.splice(0)) send();
  }

  /** The first of what is held back never comes. */
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

/** The first line, with the payload if it announces one; undefined while not all of it is there. */
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
