import fc from 'fast-check';
import { given, repeatAddsNothing } from '#testing';
import { membership, type Announcement, type MembershipEvent } from './membership.js';
import { listWorkers, ringMembers } from './membership.view.js';

const announcement: Announcement = {
  workerId: 'worker-1',
  address: '10.0.0.1:29999',
  bootId: 'boot-1',
  capacityBytes: 1024,
  version: '1.0.0',
};
const joined: MembershipEvent = { type: 'WorkerJoined', data: announcement };
const departed = { workerId: 'worker-1', bootId: 'boot-1' };
const offline: MembershipEvent = { type: 'WorkerWentOffline', data: departed };
const lost: MembershipEvent = { type: 'WorkerLost', data: departed };
const decommissioned: MembershipEvent = { type: 'WorkerDecommissioned', data: departed };

describe('announcing', () => {
  const announce = { type: 'Announce', announcement } as const;

  it('lets an unknown worker join', () => given(membership, []).when(announce).then([joined]));

  it('adds no event for a worker that is online already', () => given(membership, [joined]).when(announce).then([]));

  it.each([
    ['offline', [joined, offline]],
    ['lost', [joined, offline, lost]],
  ])('brings an %s worker back', (_case, history) => {
    given(membership, history)
      .when(announce)
      .then([{ type: 'WorkerReturned', data: announcement }]);
  });

  it('records a new address', () => {
    const moved = { ...announcement, address: '10.0.0.2:29999' };
    given(membership, [joined])
      .when({ type: 'Announce', announcement: moved })
      .then([{ type: 'WorkerReturned', data: moved }]);
  });

  it('keeps a decommissioned process out, and lets a restarted one in', () => {
    given(membership, [joined, decommissioned]).when(announce).then([]);
    const restarted = { ...announcement, bootId: 'boot-2' };
    given(membership, [joined, decommissioned])
      .when({ type: 'Announce', announcement: restarted })
      .then([{ type: 'WorkerReturned', data: restarted }]);
  });
});

describe('silence', () => {
  const silence = (lost: boolean) => ({ type: 'ReportSilence', ...departed, lost }) as const;

  it('takes a worker offline, then off the ring, one step at a time', () => {
    given(membership, [joined]).when(silence(true)).then([offline]);
    given(membership, [joined, offline]).when(silence(false)).then([]);
    given(membership, [joined, offline]).when(silence(true)).then([lost]);
    given(membership, [joined, offline, lost]).when(silence(true)).then([]);
  });

  it('of an earlier process does not affect the current one', () => {
    const returned: MembershipEvent = { type: 'WorkerReturned', data: { ...announcement, bootId: 'boot-2' } };
    given(membership, [joined, returned]).when(silence(true)).then([]);
  });
});

describe('decommissioning', () => {
  it('is refused for an unknown worker, or twice', () => {
    const command = { type: 'Decommission', workerId: 'worker-1' } as const;
    given(membership, []).when(command).thenRefused('worker-not-found');
    given(membership, [joined]).when(command).then([decommissioned]);
    given(membership, [joined, decommissioned]).when(command).thenRefused('worker-not-found');
  });
});

describe('the view', () => {
  it.each([
    ['online', [joined], 1, 1],
    ['offline', [joined, offline], 1, 1],
    ['lost', [joined, offline, lost], 1, 0],
    ['decommissioned', [joined, decommissioned], 0, 0],
  ])('lists an %s worker, and has it on the ring, by its state', (_case, history, listed, onRing) => {
    const { state } = given(membership, history);
    expect(listWorkers(state)).toHaveLength(listed);
    expect(ringMembers(state)).toHaveLength(onRing);
  });
});

it.each(['__proto__', 'constructor', 'nobody'])('a worker with the id %s cannot be decommissioned', (workerId) => {
  const { state } = given(membership, [joined]);
  expect(() => membership.decide(state, { type: 'Decommission', workerId })).toThrow('worker not found...');
});

it('law: the same command twice adds nothing, except silence, which takes two steps', () => {
  const workerId = fc.constantFrom('worker-1', 'worker-2');
  const bootId = fc.constantFrom('boot-1', 'boot-2');
  const command = fc.oneof(
    fc.record({
      type: fc.constant('Announce' as const),
      announcement: fc.record({
        workerId,
        bootId,
        address: fc.constantFrom('a:1', 'b:1'),
        capacityBytes: fc.constant(1),
        version: fc.constant('1'),
      }),
    }),
    fc.record({ type: fc.constant('ReportSilence' as const), workerId, bootId, lost: fc.constant(false) }),
    fc.record({ type: fc.constant('Decommission' as const), workerId }),
  );
  fc.assert(fc.property(fc.array(command), (history) => repeatAddsNothing(membership, history)));
});
