import { cursorText, isBehind, nextSequence, parseCursor } from './cursor.js';

it.each(['0', '17', '17.0', '123456789012345.7'])('%s is read and written unchanged', (text) => {
  expect(cursorText(parseCursor(text)!)).toBe(text);
});

it.each(['', 'x', '-1', '1.', '.1', '1.2.3', '1e3', ' 1', '1234567890123456'])('%j is no cursor', (text) => {
  expect(parseCursor(text)).toBeUndefined();
});

it('stands behind a whole commit, or behind one of its events', () => {
  expect(nextSequence({ sequence: 5 })).toBe(6);
  expect(nextSequence({ sequence: 5, index: 0 })).toBe(5);
  expect(isBehind({ sequence: 5 }, 5, 9)).toBe(false);
  expect(isBehind({ sequence: 5 }, 6, 0)).toBe(true);
  expect(isBehind({ sequence: 5, index: 1 }, 5, 1)).toBe(false);
  expect(isBehind({ sequence: 5, index: 1 }, 5, 2)).toBe(true);
  expect(isBehind({ sequence: 5, index: 1 }, 4, 2)).toBe(false);
});
