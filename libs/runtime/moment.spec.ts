import { parseMoment } from './moment.js';

it.each([
  ['0', { sequence: 0 }],
  ['123456789012345', { sequence: 123456789012345 }],
  ['2026-01-31', { timeMs: Date.UTC(2026, 0, 31) }],
  ['2028-02-29', { timeMs: Date.UTC(2028, 1, 29) }],
  ['2026-12-31T23:59:59-12:00', { timeMs: Date.UTC(2027, 0, 1, 11, 59, 59) }],
  ['2026-01-31T12:00:00Z', { timeMs: Date.UTC(2026, 0, 31, 12) }],
  ['2026-01-31T12:00:00.123456789Z', { timeMs: Date.UTC(2026, 0, 31, 12, 0, 0, 123) }],
  ['2026-01-31T12:00+01:00', { timeMs: Date.UTC(2026, 0, 31, 11) }],
  ['2026-01-31T12:00 01:00', { timeMs: Date.UTC(2026, 0, 31, 11) }],
])('%s', (text, moment) => {
  expect(parseMoment(text, 'asOf')).toEqual(moment);
});

it.each([
  ...['x', '-1', '1.5', '1e3', '1234567890123456', '2026-13-01', '2026-01-31T25:00:00Z', '2026-01-31T12:00:00'],
  // Days that no calendar has; 29 February exists only in leap years.
  ...['2026-11-31', '2026-11-31T00:00:00Z', '2026-02-29T12:00:00+01:00', '2026-02-30', '2026-04-31', '2100-02-29'],
  ...['2026-00-10', '2026-01-00', '2026-01-32'],
  ...['yesterday', '31.01.2026', '2026-01-31T12:00:00ZZ', ' 17', 'NaN', '__proto__'],
])('%s is refused with the field and the expected form', (text) => {
  expect(() => parseMoment(text, 'from')).toThrow(/^from must be a log sequence or an ISO 8601 time with its zone/);
});
