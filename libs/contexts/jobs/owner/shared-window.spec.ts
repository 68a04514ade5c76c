import { SharedWindow } from './shared-window.js';

it('counts the batches of the other jobs, as last noted', () => {
  const window = new SharedWindow();
  expect([window.jobs, window.ofOthers('a')]).toEqual([0, 0]);
  window.note('a', 5);
  window.note('b', 3);
  window.note('a', 2);
  expect([window.jobs, window.ofOthers('a'), window.ofOthers('b'), window.ofOthers('c')]).toEqual([2, 3, 2, 5]);
  window.forget('b');
  window.forget('b');
  expect([window.jobs, window.ofOthers('a')]).toEqual([1, 0]);
});
