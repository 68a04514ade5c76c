import type { WorkerHeartbeat } from '#contexts/membership';
import { Heartbeat } from './heartbeat.js';

describe('heartbeats', () => {
  let sent: (WorkerHeartbeat & { at: number })[];
  let state: number;
  let heartbeat: Heartbeat;
  beforeEach(() => {
    jest.useFakeTimers();
    [sent, state] = [[], 0];
    const now = () => ({ beat: state }) as unknown as WorkerHeartbeat;
    heartbeat = new Heartbeat(1000, now, (one) => void sent.push({ ...one, at: performance.now() }));
  });
  afterEach(() => {
    heartbeat.leave();
    jest.useRealTimers();
  });
  const beats = () => sent.map(({ beat }) => beat);

  it('are sent at the start and at the interval', () => {
    jest.advanceTimersByTime(2000);
    expect(sent).toHaveLength(3);
  });

  it('tell a change at once, and many changes together soon after', () => {
    state = 1;
    heartbeat.beat();
    expect(beats()).toEqual([0, 1]);
    for (state = 2; state < 500; state++) heartbeat.beat();
    expect(beats()).toEqual([0, 1]);
    jest.advanceTimersByTime(25);
    expect(beats()).toEqual([0, 1, 500]);
    jest.advanceTimersByTime(500);
    expect(sent).toHaveLength(3);
    heartbeat.beat();
    expect(sent).toHaveLength(4);
  });

  it('end with one that announces the end, also when a change was to be told', () => {
    heartbeat.beat();
    heartbeat.beat();
    heartbeat.leave();
    jest.advanceTimersByTime(5000);
    expect(sent).toHaveLength(3);
    expect(sent[2]).toMatchObject({ leaving: true });
  });
});
