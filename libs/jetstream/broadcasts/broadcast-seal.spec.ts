import fc from 'fast-check';
import { headers, type Msg, type MsgHdrs } from 'nats';
import { BroadcastSeal } from '../index.js';

const keys = (id: string, byte: number) => [{ id, key: Buffer.alloc(32, byte) }];
const data = Buffer.from('{"a":1}');
const message = (headers: MsgHdrs, payload = data) => ({ headers, data: payload }) as unknown as Msg;

function withHeader(text: string): MsgHdrs {
  const made = headers();
  made.set('Larder-Seal', text);
  return made;
}

describe('a sealed broadcast', () => {
  it('opens once with the key', () => {
    const [sender, receiver] = [new BroadcastSeal(keys('a', 1)), new BroadcastSeal(keys('a', 1))];
    const sealed = sender.seal('s', data);
    expect(receiver.fault('s', message(sealed))).toBeUndefined();
    expect(receiver.fault('s', message(sealed))).toBe('it was received before');
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
  ] as const)('does not open with %s', (_, made, why) => {
    const { seal, purpose, bare } = { bare: false, ...made() };
    const receiver = new BroadcastSeal(keys('a', 1));
    expect(receiver.fault(purpose, message(bare ? (undefined as unknown as MsgHdrs) : seal))).toContain(why);
  });

  it('is recognized when it comes again, also after later ones', () => {
    const [sender, receiver] = [new BroadcastSeal(keys('a', 1)), new BroadcastSeal(keys('a', 1))];
    const sealed = Array.from({ length: 2_001 }, () => sender.seal('s', data));
    const arrive = (number: number) => receiver.fault('s', message(sealed[number - 1]));
    expect(arrive(2_000)).toBeUndefined();
    for (let number = 977; number < 2_000; number++) expect(arrive(number)).toBeUndefined();
    expect(arrive(2_001)).toBeUndefined();
    expect(arrive(2_000)).toBe('it was received before');
  });

  it('is accepted when its sender is far ahead, and refused when it comes too late', () => {
    const [sender, receiver] = [new BroadcastSeal(keys('a', 1)), new BroadcastSeal(keys('a', 1))];
    const sealed = Array.from({ length: 5_000 }, () => sender.seal('s', data));
    const arrive = (number: number) => receiver.fault('s', message(sealed[number - 1]));
    expect(arrive(1)).toBeUndefined();
    expect(arrive(5_000)).toBeUndefined();
    expect(arrive(5_000 - 1_023)).toBeUndefined();
    expect(arrive(5_000 - 1_024)).toBe('it was received before');
    expect(arrive(1)).toBe('it was received before');
  });

  it('is accepted once, in any order and number of deliveries', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 200 }), (order) => {
        const [sender, receiver] = [new BroadcastSeal(keys('a', 1)), new BroadcastSeal(keys('a', 1))];
        const sealed = Array.from({ length: 60 }, () => sender.seal('s', data));
        const taken = order.filter((number) => receiver.fault('s', message(sealed[number - 1])) === undefined);
        expect(taken).toEqual([...new Set(order)]);
      }),
    );
  });

  it('does not open when any byte of it or of its content has changed', () => {
    const receiver = new BroadcastSeal(keys('a', 1));
    const sealed = new BroadcastSeal(keys('a', 1)).seal('s', data);
    for (let at = 0; at < data.length; at++) {
      const changed = Buffer.from(data);
      changed[at] ^= 1;
      expect(receiver.fault('s', message(sealed, changed))).toBe('its seal is wrong');
    }
    const text = sealed.get('Larder-Seal');
    const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (let at = 0; at < text.length; at++) {
      // The last digit of a seal has bits that no byte of it needs: the next digit differs in those alone.
      const other = digits[(digits.indexOf(text[at]) + 1) % digits.length];
      expect(receiver.fault('s', message(withHeader(text.slice(0, at) + other + text.slice(at + 1))))).toBeDefined();
    }
    // None of these messages has used up its number.
    expect(receiver.fault('s', message(sealed))).toBeUndefined();
  });

  it.each(['', ' ', 'a', 'a b', 'a b 1', 'a b 1 mac more', 'a b x mac', 'a b 1.5 mac', 'a b -1 mac', 'a b 9e99 mac'])(
    'is invalid with the header "%s"',
    (text) => {
      expect(new BroadcastSeal(keys('a', 1)).fault('s', message(withHeader(text)))).toMatch(/not sealed|seal is wrong/);
    },
  );

  it('opens by any key of the ring, and is made with the first', () => {
    const [a, b] = [keys('a', 1), keys('b', 2)];
    const rotated = new BroadcastSeal([...b, ...a]);
    expect(rotated.fault('s', message(new BroadcastSeal(a).seal('s', data)))).toBeUndefined();
    expect(new BroadcastSeal(b).fault('s', message(rotated.seal('s', data)))).toBeUndefined();
    expect(new BroadcastSeal(a).fault('s', message(rotated.seal('s', data)))).toContain('key "b"');
  });

  it('of an answer holds only for the request that it answers', () => {
    const [asker, answerer] = [new BroadcastSeal(keys('a', 1)), new BroadcastSeal(keys('a', 1))];
    const [first, second] = [asker.seal('ask', data), asker.seal('ask', data)];
    const answer = answerer.seal(answerer.answerTo(first), data);
    expect(asker.fault(asker.answerTo(second), message(answer))).toBe('its seal is wrong');
    expect(asker.fault('ask', message(answer))).toBe('its seal is wrong');
    expect(asker.fault(asker.answerTo(first), message(answer))).toBeUndefined();
  });

  it('of one sender does not affect another sender’s numbers', () => {
    const receiver = new BroadcastSeal(keys('a', 1));
    for (let i = 0; i < 3; i++) {
      expect(receiver.fault('s', message(new BroadcastSeal(keys('a', 1)).seal('s', data)))).toBeUndefined();
    }
  });
});
