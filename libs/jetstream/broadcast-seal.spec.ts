import { type Msg, type MsgHdrs } from 'nats';
import { BroadcastSeal } from './index.js';

const keys = (id: string, byte: number) => [{ id, key: Buffer.alloc(32, byte) }];
const data = Buffer.from('{"a":1}');
const message = (headers: MsgHdrs, payload = data) => ({ headers, data: payload }) as unknown as Msg;

describe('a sealed broadcast', () => {
  it('opens for whoever has the key, once', () => {
    const [sender, receiver] = [new BroadcastSeal(keys('a', 1)), new BroadcastSeal(keys('a', 1))];
    const sealed = sender.seal('s', data);
    expect(receiver.fault('s', message(sealed))).toBeUndefined();
    expect(receiver.fault('s', message(sealed))).toBe('it has been here before');
  });

  it.each([
    [
      'not sealed',
      () => ({ seal: new BroadcastSeal(keys('a', 1)).seal('s', data), purpose: 's', bare: true }),
      'it is not sealed',
    ],
    [
      'other bytes',
      () => ({ seal: new BroadcastSeal(keys('a', 2)).seal('s', data), purpose: 's' }),
      'its seal is wrong',
    ],
    [
      'another subject',
      () => ({ seal: new BroadcastSeal(keys('a', 1)).seal('t', data), purpose: 's' }),
      'its seal is wrong',
    ],
    [
      'another key',
      () => ({ seal: new BroadcastSeal(keys('b', 1)).seal('s', data), purpose: 's' }),
      'sealed with the key "b"',
    ],
  ] as const)('does not with %s', (_, made, why) => {
    const { seal, purpose, bare } = { bare: false, ...made() };
    const receiver = new BroadcastSeal(keys('a', 1));
    expect(receiver.fault(purpose, message(bare ? (undefined as unknown as MsgHdrs) : seal))).toContain(why);
  });

  it('is known again however others have overtaken it', () => {
    const [sender, receiver] = [new BroadcastSeal(keys('a', 1)), new BroadcastSeal(keys('a', 1))];
    const sealed = Array.from({ length: 2_001 }, () => sender.seal('s', data));
    const arrive = (number: number) => receiver.fault('s', message(sealed[number - 1]));
    expect(arrive(2_000)).toBeUndefined();
    for (let number = 977; number < 2_000; number++) expect(arrive(number)).toBeUndefined();
    expect(arrive(2_001)).toBeUndefined();
    expect(arrive(2_000)).toBe('it has been here before');
  });
});
