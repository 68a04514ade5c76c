import net from 'node:net';

export interface ServerVersion {
  /** `host:port`. */
  readonly address: string;
  /** `2.10.27`. */
  readonly version: string;
}

const timeoutMs = 2_000;
/** Longer than the first line of any server. */
const maxLineLength = 64 * 1024;

/**
 * The versions of those servers that state theirs. A nats-server sends one line to each new connection, before it asks
 * for credentials or TLS: `INFO {"version":"2.10.27",…}` (NATS client protocol). A server that does not do so within
 * two seconds is left out.
 *
 * @param addresses `host:port`, IPv6 hosts in brackets
 */
export async function serverVersions(addresses: readonly string[]): Promise<ServerVersion[]> {
  const asked = await Promise.all(
    addresses.map(async (address) => ({ address, version: versionIn(await firstLine(address)) })),
  );
  return asked.flatMap(({ address, version }) => (version === undefined ? [] : [{ address, version }]));
}

/** Whether a version such as `2.10.27` or `2.12.0-RC.1` is the wanted one or later. */
export function isAtLeast(version: string, wanted: string): boolean {
  const [a, b] = [version, wanted].map((text) => text.split(/[.-]/, 3).map((part) => Number.parseInt(part, 10) || 0));
  const differing = b.findIndex((part, i) => part !== a[i]);
  return differing === -1 || a[differing] > b[differing];
}

function firstLine(address: string): Promise<string> {
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  return new Promise((resolve) => {
    let text = '';
    const socket = net.connect({ host, port: Number(port), timeout: timeoutMs });
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(done, timeoutMs);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.includes('\n') || text.length > maxLineLength) done();
    });
    socket.on('error', done);
    socket.on('close', done);
  });
}

function versionIn(line: string): string | undefined {
  return /^INFO \{.*?"version":"([^"]+)"/.exec(line)?.[1];
}
