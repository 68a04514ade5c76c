import { parseNatsUrl } from './index.js';

describe('parseNatsUrl', () => {
  it.each([
    ['nats://127.0.0.1:4222', { servers: ['127.0.0.1:4222'] }],
    ['nats://host', { servers: ['host:4222'] }],
    ['nats://t0ken@host:1', { servers: ['host:1'], token: 't0ken' }],
    ['nats://me:p%40ss@host:1', { servers: ['host:1'], user: 'me', pass: 'p@ss' }],
    ['nats://t0ken@a:1,nats://b:2', { servers: ['a:1', 'b:2'], token: 't0ken' }],
    ['tls://[::1]:4222', { servers: ['[::1]:4222'], tls: {} }],
  ])('splits %s', (url, expected) => {
    expect(parseNatsUrl(url)).toEqual(expected);
  });
});
