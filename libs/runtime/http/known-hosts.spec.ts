import { KnownHosts } from './known-hosts.js';

const hosts = (listenHost: string, hostnames?: string[], advertised?: string) =>
  new KnownHosts({ listenHost, hostnames, advertised });

describe('the names that a process goes by', () => {
  it('on loopback: localhost, its addresses, and the names in the setting', () => {
    const known = hosts('127.0.0.1', ['Larder.Example.com']);
    for (const host of [
      ...[
        'localhost',
        'LOCALHOST:19999',
        'localhost.',
        '127.0.0.1',
        '127.0.0.1:19999',
        '127.8.9.1',
        '[::1]',
        '[::1]:80',
      ],
      ...['larder.example.com', 'larder.example.com:443', 'LARDER.example.com.'],
    ]) {
      expect({ host, known: known.knows(host) }).toEqual({ host, known: true });
    }
    for (const host of [
      ...['evil.example', 'evil.example:19999', 'localhost.evil.example', '127.0.0.1.evil.example', 'xlocalhost', ''],
      ...['10.0.0.1', '[2001:db8::1]', 'user@localhost', 'localhost/x', 'localhost:19999:1', 'a b', '[::1', '0.0.0.0'],
    ]) {
      expect({ host, known: known.knows(host) }).toEqual({ host, known: false });
    }
    for (const listenHost of ['localhost', '::1', '127.0.0.2']) {
      expect(hosts(listenHost).knows('evil.example')).toBe(false);
      expect(hosts(listenHost).knows('localhost:1')).toBe(true);
    }
  });

  it('elsewhere: any name while the setting is empty, else the names in it, and any address', () => {
    expect(hosts('0.0.0.0').knows('coordinator-1:19999')).toBe(true);
    const known = hosts('0.0.0.0', ['larder.example.com'], 'worker-1:29999');
    for (const host of ['larder.example.com', 'worker-1:29999', '10.1.2.3:29999', '[2001:db8::1]:1', 'localhost']) {
      expect({ host, known: known.knows(host) }).toEqual({ host, known: true });
    }
    expect(known.knows('evil.example')).toBe(false);
    expect(known.knows('worker-2:29999')).toBe(false);
  });

  it('make a page trusted when it was served under one of them', () => {
    const known = hosts('127.0.0.1', ['larder.example.com']);
    for (const origin of [
      'http://localhost:3000',
      'http://127.0.0.1:19999',
      'http://[::1]',
      'https://larder.example.com',
    ])
      expect({ origin, trusted: known.trustsOrigin(origin, 'localhost:19999') }).toEqual({ origin, trusted: true });
    for (const origin of ['http://evil.example', 'null', '', 'file://', 'http://127.0.0.1.evil.example', 'x'])
      expect({ origin, trusted: known.trustsOrigin(origin, 'localhost:19999') }).toEqual({ origin, trusted: false });
    // If any name is accepted, the page must come from the very host that is asked.
    expect(hosts('0.0.0.0').trustsOrigin('https://larder.example.com', 'larder.example.com:443')).toBe(true);
    expect(hosts('0.0.0.0').trustsOrigin('http://evil.example', 'larder.example.com')).toBe(false);
    expect(hosts('0.0.0.0').trustsOrigin('http://evil.example', undefined)).toBe(false);
  });
});
