import { SharedQuestion } from './shared-question.js';

describe('SharedQuestion', () => {
  function setUp() {
    const asked: { answer: (value: number) => void; fail: (error: Error) => void }[] = [];
    const question = new SharedQuestion(() => new Promise<number>((answer, fail) => asked.push({ answer, fail })));
    return { asked, question };
  }

  it('shares one round trip among calls that come while another is under way, and never answers with an older one', async () => {
    const { asked, question } = setUp();
    const first = question.ask();
    const later = [question.ask(), question.ask(), question.ask()];
    expect(asked).toHaveLength(1);
    asked[0].answer(1);
    expect(await first).toBe(1);
    await Promise.resolve();
    expect(asked).toHaveLength(2);
    asked[1].answer(2);
    expect(await Promise.all(later)).toEqual([2, 2, 2]);
    const last = question.ask();
    expect(asked).toHaveLength(3);
    asked[2].answer(3);
    expect(await last).toBe(3);
  });

  it('does not pass one request’s failure to calls that wait for the next', async () => {
    const { asked, question } = setUp();
    const first = question.ask();
    const second = question.ask();
    asked[0].fail(new Error('away'));
    await expect(first).rejects.toThrow('away');
    asked[1].answer(2);
    expect(await second).toBe(2);
  });
});
