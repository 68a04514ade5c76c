import { Foresight } from './foresight.js';

const digits = (number: number, length: number): string => String(number).padStart(length, '0');

describe('where keys are expected', () => {
  test('counters go on', () => {
    const foresight = new Foresight('');
    const lesson = foresight.learn(Array.from({ length: 100 }, (_, i) => `data/${digits(900 + i, 6)}.bin`));
    expect(foresight.after('data/000999.bin', 850, lesson)).toBe('data/001849');
  });

  test('letters without a counter go on as densely as they were', () => {
    const foresight = new Foresight('');
    const lesson = foresight.learn(['10a7', '1100', '11fe', '12ff', '1400']);
    expect(foresight.after('1400', 8, lesson)).toMatch(/^1a/);
  });

  test('a directory that ends leads into the next one, as far as the names there are alike', () => {
    const foresight = new Foresight('');
    const page = (directory: string): string[] =>
      Array.from({ length: 100 }, (_, i) => `${directory}/f${digits(i, 3)}`);
    foresight.learn([...page('alpha'), 'beta/f000']);
    const lesson = foresight.learn(page('beta'));
    const query = foresight.missing('beta/f099')!;
    expect(query).toEqual({ parent: '', after: 'beta' });
    foresight.addDirectories(query, ['beta/', 'gamma/', 'omega/'], true);
    expect(foresight.missing('beta/f099')).toBeUndefined();
    expect(foresight.after('beta/f099', 50, lesson)).toMatch(/^gamma\/f0[45]/);
    expect(foresight.after('beta/f099', 150, lesson)).toMatch(/^omega\/f0[45]/);
  });

  test('there is no guess behind the last number, outside of the prefix, and where nothing tells', () => {
    const foresight = new Foresight('p/');
    const lesson = foresight.learn(['p/8', 'p/9']);
    expect(foresight.after('p/9', 5, lesson)).toBeUndefined();
    expect(foresight.after('q/1', 1, lesson)).toBeUndefined();
    expect(foresight.after('p/x', 1, foresight.learn(['p/é']))).toBeUndefined();
  });
});
