import aws4 from 'aws4';
import fc from 'fast-check';
import { RequestSigner } from './request-signature.js';
import { encodeKey, encodeValue } from './s3-path.js';

const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const atMs = Date.parse('2026-01-02T03:04:05.678Z');

/** The same request, signed by a library. */
function signedByLibrary(request: { method: string; path: string; region: string; headers: Record<string, string> }) {
  const { method, path, region } = request;
  const headers = {
    ...request.headers,
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    'x-amz-date': '20260102T030405Z',
  };
  return aws4.sign({ method, path, service: 's3', region, headers }, credentials).headers!.Authorization;
}

const segment = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).filter((one) => one.isWellFormed());
const key = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'));
const extra = fc.constantFrom<Record<string, string>>(
  {},
  { range: 'bytes=0-99' },
  { 'if-match': '"0123"', range: 'bytes=7-' },
  { 'if-unmodified-since': 'Tue, 02 Jan 1990 00:00:00 GMT' },
);

describe('the signature of a request', () => {
  it('is the one that a library computes, for any key, header and region', () => {
    const signer = new RequestSigner(credentials);
    const method = fc.constantFrom<'GET' | 'HEAD'>('GET', 'HEAD');
    fc.assert(
      fc.property(method, key, extra, fc.constantFrom('us-east-1', 'eu-west-2'), (method, key, more, region) => {
        const path = `/bucket/${encodeKey(key)}`;
        const headers = { ...more, host: 'store.example:9000' };
        const expected = signedByLibrary({ method, path, region, headers });
        expect(signer.sign({ method, path, region, headers, atMs }).authorization).toBe(expected);
      }),
    );
  });

  it('is the one that a library computes, for any query', () => {
    const signer = new RequestSigner(credentials);
    const query = fc.dictionary(fc.constantFrom('prefix', 'list-type', 'start-after', 'max-keys'), segment);
    fc.assert(
      fc.property(query, (query) => {
        const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeValue(value)}`);
        const request = { method: 'GET' as const, path: `/bucket?${pairs.join('&')}`, region: 'us-east-1' };
        const headers = { host: 'store.example' };
        const expected = signedByLibrary({ ...request, headers });
        expect(signer.sign({ ...request, headers, atMs }).authorization).toBe(expected);
      }),
    );
  });

  it('includes the session token and leaves other headers as they are', () => {
    const signer = new RequestSigner({ ...credentials, sessionToken: 'token+of/a session' });
    const headers = { host: 'store.example', range: 'bytes=0-0' };
    const signed = signer.sign({ method: 'GET', path: '/b/k', region: 'us-east-1', headers, atMs });
    expect(signed).toMatchObject({ ...headers, 'x-amz-security-token': 'token+of/a session' });
    expect(signed.authorization).toContain('SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,');
    const token = { 'x-amz-security-token': 'token+of/a session' };
    expect(signed.authorization).toBe(
      signedByLibrary({ method: 'GET', path: '/b/k', region: 'us-east-1', headers: { ...headers, ...token } }),
    );
  });

  it('is of the second and the day that it is made at', () => {
    const signer = new RequestSigner(credentials);
    const headers = { host: 'store.example' };
    const at = (time: string) =>
      signer.sign({ method: 'GET', path: '/b/k', region: 'r', headers, atMs: Date.parse(time) });
    const [first, second, nextDay, again] = [
      at('2026-01-02T23:59:59.100Z'),
      at('2026-01-02T23:59:58.900Z'),
      at('2026-01-03T00:00:00Z'),
      at('2026-01-02T23:59:59.999Z'),
    ];
    expect(second['x-amz-date']).toBe('20260102T235958Z');
    expect(nextDay['x-amz-date']).toBe('20260103T000000Z');
    expect(nextDay.authorization).toContain('/20260103/r/s3/aws4_request');
    expect(again).toEqual(first);
  });
});
