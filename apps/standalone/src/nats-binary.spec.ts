import { chooseNatsServer } from './nats-binary.js';

const server = (version: string) => ({ binary: `/somewhere/${version}/nats-server`, version });

describe('chooseNatsServer', () => {
  it('prefers the first for a single server, and the first that is safe with replicas for several', () => {
    const found = [server('2.9.10'), server('2.10.22'), server('2.10.27'), server('2.12.1')];
    expect(chooseNatsServer(found, 1, undefined)).toBe(found[0]);
    expect(chooseNatsServer(found, 3, undefined)).toBe(found[2]);
  });

  it('says how to get a newer one when there are only older ones', () => {
    const choose = () => chooseNatsServer([server('2.9.10'), server('2.10.22')], 3, undefined);
    expect(choose).toThrow(
      /^3 nats-servers need release 2\.10\.23 or later, and \/somewhere\/2\.10\.22\/nats-server is 2\.10\.22: fetch one with/,
    );
  });

  it('takes only the one that was named', () => {
    const found = [server('2.9.10'), server('2.10.27')];
    const choose = () => chooseNatsServer(found, 3, found[0].binary);
    expect(choose).toThrow(/is 2\.9\.10: set LARDER_NATS_SERVER_BIN to a newer one/);
  });

  it('says how to get one when there is none', () => {
    expect(() => chooseNatsServer([], 1, undefined)).toThrow(/^No nats-server was found: install one/);
  });
});
