import { DomainError } from '#kernel';
import { Freshness } from './freshness.js';

const away = () => new DomainError('Unavailable', 'nats-unreachable', 'NATS is away');

/** A log whose answers a test gives one by one. */
function lab(options: { waitMs?: number; probeMs?: number } = {}) {
  let nowMs = 0;
  const questions: { answer(): void; refuse(error: unknown): void }[] = [];
  const freshness = new Freshness({
    ask: () => new Promise<void>((answer, refuse) => questions.push({ answer, refuse })),
    now: () => nowMs,
    waitMs: 10_000,
    probeMs: 1,
    ...options,
  });
  return {
    freshness,
    questions,
    pass: (ms: number) => void (nowMs += ms),
    /** The question with this number, as soon as it has been asked. */
    question: async (n: number) => {
      while (questions.length <= n) await new Promise((next) => setTimeout(next, 1));
      return questions[n];
    },
  };
}

it('each read asks the log, and is fresh when the log answers', async () => {
  const { freshness, questions } = lab();
  const first = freshness.ensure();
  questions[0].answer();
  expect(await first).toBeUndefined();
  const second = freshness.ensure();
  expect(questions).toHaveLength(2);
  questions[1].answer();
  expect(await second).toBeUndefined();
});

it('the age counts from the start of the last answered request', async () => {
  const { freshness, questions, pass } = lab();
  const first = freshness.ensure();
  pass(100);
  questions[0].answer();
  await first;
  pass(400);
  const second = freshness.ensure();
  questions[1].refuse(away());
  expect(await second).toBe(500);
  freshness.stop();
});

it('reads no longer wait after the log has not answered, until it answers again', async () => {
  const { freshness, questions, pass, question } = lab();
  const first = freshness.ensure();
  questions[0].refuse(away());
  await first;
  pass(50);
  expect(await freshness.ensure()).toBe(50);
  expect(await freshness.ensure()).toBe(50);
  (await question(1)).refuse(away());
  (await question(2)).answer();
  while (freshness.staleMs() !== undefined) await new Promise((next) => setTimeout(next, 1));
  const next = freshness.ensure();
  (await question(3)).answer();
  expect(await next).toBeUndefined();
});

it('a request without an answer counts as failed after some time', async () => {
  const { freshness, pass } = lab({ waitMs: 20 });
  const reader = freshness.ensure();
  pass(7);
  expect(await reader).toBe(7);
  freshness.stop();
});

it('a report from elsewhere that the log is away counts', async () => {
  const { freshness, questions, pass } = lab({ probeMs: 60_000 });
  freshness.fail();
  pass(3);
  expect(await freshness.ensure()).toBe(3);
  expect(questions).toHaveLength(0);
  freshness.stop();
});

it('errors that are no outage are passed on', async () => {
  const { freshness, questions } = lab();
  const reader = freshness.ensure();
  questions[0].refuse(new Error('a bug'));
  await expect(reader).rejects.toThrow('a bug');
});
